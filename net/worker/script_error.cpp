#include "net/worker/script_error.h"

#include <js/Conversions.h>
#include <js/Exception.h>
#include <js/Proxy.h>
#include <js/SavedFrameAPI.h>
#include <js/Stack.h>
#include <js/String.h>
#include <jsfriendapi.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "net/worker/worker_protocol.h"

namespace stele::net {

namespace {

using api::FoldFailure;

std::string_view name_of(int error_type) {
  switch (error_type) {
    case JSEXN_INTERNALERR:
      return "InternalError";
    case JSEXN_AGGREGATEERR:
      return "AggregateError";
    case JSEXN_EVALERR:
      return "EvalError";
    case JSEXN_RANGEERR:
      return "RangeError";
    case JSEXN_REFERENCEERR:
      return "ReferenceError";
    case JSEXN_SYNTAXERR:
      return "SyntaxError";
    case JSEXN_TYPEERR:
      return "TypeError";
    case JSEXN_URIERR:
      return "URIError";
    default:
      return "Error";
  }
}

std::string text_of(JSContext* cx, JS::HandleValue value) {
  if (value.isString()) return beginning_of(cx, value.toString());
  if (value.isSymbol()) return "a thrown symbol";
  if (value.isBigInt()) return "a thrown BigInt";  // its text would take time without an end
  JS::RootedString text(cx, JS::ToString(cx, value));
  return text ? beginning_of(cx, text) : std::string();
}

/// The innermost place in the script.
void locate(JSContext* cx, FoldFailure& failure, JS::HandleObject stack) {
  JS::RootedObject frame(cx, stack);
  while (frame) {
    JS::RootedString source(cx);
    std::uint32_t line = 0, column = 0;
    bool is_script = false;
    constexpr auto kWhich = JS::SavedFrameSelfHosted::Exclude;
    if (JS::GetSavedFrameSource(cx, nullptr, frame, &source, kWhich) != JS::SavedFrameResult::Ok || !source) return;
    if (!JS_StringEqualsAscii(cx, source, kScriptName, &is_script)) return;
    if (is_script) {
      if (JS::GetSavedFrameLine(cx, nullptr, frame, &line, kWhich) != JS::SavedFrameResult::Ok || line == 0) return;
      failure.line = line;
      if (JS::GetSavedFrameColumn(cx, nullptr, frame, &column, kWhich) == JS::SavedFrameResult::Ok) {
        failure.column = column;
      }
      return;
    }
    JS::RootedObject parent(cx);
    if (JS::GetSavedFrameParent(cx, nullptr, frame, &parent, kWhich) != JS::SavedFrameResult::Ok) return;
    frame = parent;
  }
}

}  // namespace

std::string beginning_of(JSContext* cx, JSString* text) {
  std::array<char, kMessageBytesMax> bytes{};
  const auto written = JS_EncodeStringToUTF8BufferPartial(cx, text, mozilla::Span(bytes.data(), bytes.size()));
  if (!written) return {};
  return {bytes.data(), mozilla::Get<1>(*written)};
}

FoldFailure take_script_error(JSContext* cx, FoldFailure::Kind kind) {
  JS::ExceptionStack thrown(cx);
  if (!JS::StealPendingExceptionStack(cx, &thrown)) {
    JS_ClearPendingException(cx);
    return failure_of(WorkerExit::Memory);
  }
  FoldFailure failure;
  failure.kind = kind;
  JS::RootedObject stack(cx, thrown.stack());
  if (thrown.exception().isObject()) {
    JS::RootedObject object(cx, &thrown.exception().toObject());
    const JSErrorReport* const report = js::IsProxy(object) ? nullptr : JS_ErrorFromException(cx, object);
    if (report == nullptr) {
      failure.message = "a thrown object";
    } else {
      if (report->errorMessageName != nullptr && std::strcmp(report->errorMessageName, "JSMSG_OVER_RECURSED") == 0) {
        failure.kind = FoldFailure::Kind::Limit;
        failure.limit = "stack";
      }
      failure.message = name_of(report->exnType);
      if (const char* const message = report->message().c_str(); message != nullptr && *message != '\0') {
        failure.message += ": ";
        failure.message += std::string_view(message).substr(0, kMessageBytesMax);
      }
      if (JSObject* const made = JS::ExceptionStackOrNull(object); made != nullptr) stack = made;
      if (report->filename != nullptr && std::strcmp(report->filename, kScriptName) == 0 && report->lineno != 0) {
        failure.line = report->lineno;
        failure.column = report->column + (kind == FoldFailure::Kind::Syntax ? 1 : 0);
      }
    }
  } else {
    failure.message = text_of(cx, thrown.exception());
  }
  if (!failure.line) locate(cx, failure, stack);
  failure.message = clean_text(failure.message, kMessageBytesMax);
  JS_ClearPendingException(cx);
  return failure;
}

}  // namespace stele::net
