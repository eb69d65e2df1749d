#include "net/worker/script_engine.h"

#include <js/Array.h>
#include <js/CallAndConstruct.h>
#include <js/CompilationAndEvaluation.h>
#include <js/CompileOptions.h>
#include <js/Context.h>
#include <js/ContextOptions.h>
#include <js/Conversions.h>
#include <js/Exception.h>
#include <js/GCAPI.h>
#include <js/GlobalObject.h>
#include <js/Initialization.h>
#include <js/Interrupt.h>
#include <js/JSON.h>
#include <js/MemoryCallbacks.h>
#include <js/Object.h>
#include <js/Principals.h>
#include <js/Promise.h>
#include <js/PropertyAndElement.h>
#include <js/Proxy.h>
#include <js/Realm.h>
#include <js/RealmOptions.h>
#include <js/SavedFrameAPI.h>
#include <js/SourceText.h>
#include <js/Stack.h>
#include <js/String.h>
#include <js/experimental/JSStencil.h>
#include <jsapi.h>
#include <jsfriendapi.h>

#include <array>
#include <atomic>
#include <charconv>
#include <cstring>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>

#include "net/worker/call_watch.h"
#include "net/worker/script_prelude.h"
#include "net/worker/state_writer.h"

namespace stele::net {

namespace {

using namespace std::chrono_literals;
using api::FoldFailure;

/// In error reports, to tell the script from what was run before it.
constexpr const char* kScriptName = "handler";
constexpr const char* kPreludeName = "stele";
/// Of the 8 MiB that the thread has (sandbox.cpp). Deep recursion of a script ends here, as an error of the script.
constexpr std::size_t kStackBytes = 1U << 20;
/// Of reading or writing a state, however large it may be.
constexpr auto kHostTime = 2s;

bool is_ascii(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  for (; end - at >= 8; at += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, at, 8);
    if ((eight & 0x8080808080808080U) != 0) return false;
  }
  for (; at != end; ++at) {
    if ((static_cast<unsigned char>(*at) & 0x80U) != 0) return false;
  }
  return true;
}

JSString* new_string(JSContext* cx, std::string_view text) {
  return is_ascii(text) ? JS_NewStringCopyN(cx, text.data(), text.size())
                        : JS_NewStringCopyUTF8N(cx, JS::UTF8Chars(text.data(), text.size()));
}

/// The first bytes of a text, which may be very long.
std::string beginning_of(JSContext* cx, JSString* text) {
  std::array<char, kMessageBytesMax> bytes{};
  const auto written = JS_EncodeStringToUTF8BufferPartial(cx, text, mozilla::Span(bytes.data(), bytes.size()));
  if (!written) return {};
  return {bytes.data(), mozilla::Get<1>(*written)};
}

// The global object. Standard classes are made when they are first looked for, except those that are not to be found.

bool is_hidden(jsid id) {
  if (!id.isString()) return false;
  JSLinearString* const name = id.toLinearString();
  return JS_LinearStringEqualsAscii(name, "Intl") || JS_LinearStringEqualsAscii(name, "WebAssembly");
}

bool resolve_global(JSContext* cx, JS::HandleObject global, JS::HandleId id, bool* resolved) {
  if (is_hidden(id)) {
    *resolved = false;
    return true;
  }
  return JS_ResolveStandardClass(cx, global, id, resolved);
}

bool enumerate_global(JSContext* cx, JS::HandleObject global, JS::MutableHandleIdVector ids, bool enumerable_only) {
  JS::RootedIdVector all(cx);
  if (!JS_NewEnumerateStandardClasses(cx, global, &all, enumerable_only)) return false;
  for (std::size_t i = 0; i < all.length(); ++i) {
    if (!is_hidden(all[i]) && !ids.append(all[i])) return false;
  }
  return true;
}

bool may_resolve_global(const JSAtomState& names, jsid id, JSObject* global) {
  return JS_MayResolveStandardClass(names, id, global);
}

constexpr JSClassOps kGlobalOps = {
    nullptr, nullptr, nullptr, enumerate_global,        resolve_global, may_resolve_global,
    nullptr, nullptr, nullptr, JS_GlobalObjectTraceHook};
constexpr JSClass kGlobalClass = {"global", JSCLASS_GLOBAL_FLAGS, &kGlobalOps, nullptr, nullptr, nullptr};

// An event. Most handlers look at a member or two of `data`, and not at all at the rest: each of the two is parsed when
// it is first looked at, from a text that the object keeps, so that an event which a script keeps stays what it was. Of
// the rest, one member after another is defined as it is looked at, and all others when the event is enumerated.

constexpr std::uint32_t kDataSlot = 0;      ///< its JSON; null = redacted; undefined = has none, or is a member by now
constexpr std::uint32_t kEnvelopeSlot = 1;  ///< its JSON; an object of its members; undefined = all members are there

bool complete_data(JSContext* cx, JS::HandleObject event) {
  JS::RootedValue text(cx, JS::GetReservedSlot(event, kDataSlot));
  if (text.isUndefined()) return true;
  JS::RootedValue data(cx);
  if (text.isString()) {
    JS::RootedString json(cx, text.toString());
    if (!JS_ParseJSON(cx, json, &data)) return false;
  } else {
    data.setNull();
  }
  JS::SetReservedSlot(event, kDataSlot, JS::UndefinedValue());
  return JS_DefineProperty(cx, event, "data", data, JSPROP_ENUMERATE);
}

/// What is not a member yet; null if nothing is left.
bool take_envelope(JSContext* cx, JS::HandleObject event, JS::MutableHandleObject envelope) {
  JS::RootedValue kept(cx, JS::GetReservedSlot(event, kEnvelopeSlot));
  if (kept.isString()) {
    JS::RootedString json(cx, kept.toString());
    if (!JS_ParseJSON(cx, json, &kept)) return false;
    JS::SetReservedSlot(event, kEnvelopeSlot, kept);
  }
  envelope.set(kept.isObject() ? &kept.toObject() : nullptr);
  return true;
}

bool complete_envelope(JSContext* cx, JS::HandleObject event) {
  JS::RootedObject envelope(cx);
  if (!take_envelope(cx, event, &envelope)) return false;
  if (!envelope) return true;
  JS::SetReservedSlot(event, kEnvelopeSlot, JS::UndefinedValue());
  JS::Rooted<JS::IdVector> ids(cx, JS::IdVector(cx));
  if (!JS_Enumerate(cx, envelope, &ids)) return false;
  JS::RootedId id(cx);
  JS::RootedValue member(cx);
  for (std::size_t i = 0; i < ids.length(); ++i) {
    id = ids[i];
    bool is_there = false;
    if (!JS_AlreadyHasOwnPropertyById(cx, event, id, &is_there)) return false;
    if (is_there) continue;
    if (!JS_GetPropertyById(cx, envelope, id, &member)) return false;
    if (!JS_DefinePropertyById(cx, event, id, member, JSPROP_ENUMERATE)) return false;
  }
  return true;
}

bool complete_event(JSContext* cx, JS::HandleObject event) {
  return complete_envelope(cx, event) && complete_data(cx, event);
}

/// The value of a member of the envelope, as it stands in its text, which the server has written: an object without
/// white space, names without escapes. Empty if there is none.
std::string_view find_in_envelope(std::string_view text, std::string_view name) {
  std::size_t at = 1;
  while (at < text.size() && text[at] == '"') {
    const std::size_t name_end = text.find('"', at + 1);
    if (name_end == std::string_view::npos) break;
    const std::size_t value = name_end + 2;
    std::size_t end = value;
    for (int depth = 0; end < text.size(); ++end) {
      const char c = text[end];
      if (c == '"') {
        for (++end; end < text.size() && text[end] != '"'; ++end) end += text[end] == '\\' ? 1 : 0;
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (depth > 0 && (c == '}' || c == ']')) {
        --depth;
      } else if (depth == 0 && (c == ',' || c == '}')) {
        break;
      }
    }
    if (end >= text.size()) break;
    if (text.substr(at + 1, name_end - at - 1) == name) return text.substr(value, end - value);
    at = end + 1;
  }
  return {};
}

/// Reads one member without parsing the others. `*done` is false if that needs the whole envelope.
bool peek_at_envelope(JSContext* cx, JS::HandleValue envelope, JS::HandleId id, JS::MutableHandleValue member,
                      bool* done) {
  *done = false;
  JSLinearString* const text = JS_EnsureLinearString(cx, envelope.toString());
  if (text == nullptr) return false;
  JSLinearString* const name = id.toLinearString();
  if (!JS::LinearStringHasLatin1Chars(text) || !JS::LinearStringHasLatin1Chars(name)) return true;
  std::array<char, 128> buffer;
  std::size_t bytes = 0;
  bool is_number = false;
  {
    const JS::AutoCheckCannotGC no_gc(cx);
    const auto view = [&](JSLinearString* from) {
      return std::string_view(reinterpret_cast<const char*>(JS::GetLatin1LinearStringChars(no_gc, from)),
                              JS::GetLinearStringLength(from));
    };
    std::string_view value = find_in_envelope(view(text), view(name));
    if (value.empty() || value.size() > buffer.size()) return true;
    is_number = value.front() >= '0' && value.front() <= '9';
    if (!is_number) {
      if (value.front() != '"' || value.find('\\') != std::string_view::npos) return true;
      value = value.substr(1, value.size() - 2);
    }
    bytes = value.copy(buffer.data(), buffer.size());
  }
  if (is_number) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(buffer.data(), buffer.data() + bytes, number);
    if (error != std::errc() || end != buffer.data() + bytes) return true;
    member.setNumber(static_cast<double>(number));
  } else {
    JSString* const copy = JS_NewStringCopyN(cx, buffer.data(), bytes);
    if (copy == nullptr) return false;
    member.setString(copy);
  }
  *done = true;
  return true;
}

bool resolve_event(JSContext* cx, JS::HandleObject event, JS::HandleId id, bool* resolved) {
  *resolved = false;
  if (!id.isString()) return true;
  if (JS_LinearStringEqualsAscii(id.toLinearString(), "data")) {
    *resolved = !JS::GetReservedSlot(event, kDataSlot).isUndefined();
    return complete_data(cx, event);
  }
  JS::RootedValue member(cx);
  JS::RootedValue text(cx, JS::GetReservedSlot(event, kEnvelopeSlot));
  if (text.isString()) {
    if (!peek_at_envelope(cx, text, id, &member, resolved)) return false;
    if (*resolved) return JS_DefinePropertyById(cx, event, id, member, JSPROP_ENUMERATE);
  }
  JS::RootedObject envelope(cx);
  if (!take_envelope(cx, event, &envelope)) return false;
  if (!envelope) return true;
  if (!JS_HasOwnPropertyById(cx, envelope, id, resolved)) return false;
  if (!*resolved) return true;
  return JS_GetPropertyById(cx, envelope, id, &member) &&
         JS_DefinePropertyById(cx, event, id, member, JSPROP_ENUMERATE);
}

/// A member that is deleted does not come back.
bool delete_from_event(JSContext* cx, JS::HandleObject event, JS::HandleId id, JS::ObjectOpResult& result) {
  JS::RootedObject envelope(cx);
  if (!take_envelope(cx, event, &envelope)) return false;
  return envelope ? JS_DeletePropertyById(cx, envelope, id, result) : result.succeed();
}

constexpr JSClassOps kEventOps = {nullptr, delete_from_event, complete_event, nullptr, resolve_event,
                                  nullptr, nullptr,           nullptr,        nullptr, nullptr};
constexpr JSClass kEventClass = {"Object", JSCLASS_HAS_RESERVED_SLOTS(2), &kEventOps, nullptr, nullptr, nullptr};

/// What waits for a promise never runs: a handler is a function of state and event, and has no "later".
class NoJobs : public JS::JobQueue {
 public:
  JSObject* getIncumbentGlobal(JSContext* cx) override { return JS::CurrentGlobalOrNull(cx); }
  bool enqueuePromiseJob(JSContext*, JS::HandleObject, JS::HandleObject, JS::HandleObject, JS::HandleObject) override {
    return true;
  }
  void runJobs(JSContext*) override {}
  [[nodiscard]] bool empty() const override { return true; }

 protected:
  js::UniquePtr<SavedJobQueue> saveJobQueue(JSContext* /*cx*/) override { return js::MakeUnique<SavedJobQueue>(); }
};

bool no_code_from_text(JSContext* /*cx*/, JS::RuntimeCode /*kind*/, JS::HandleString /*code*/) { return false; }
constexpr JSSecurityCallbacks kSecurity = {no_code_from_text, nullptr};

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

FoldFailure make_failure(FoldFailure::Kind kind, std::string message) {
  FoldFailure failure;
  failure.kind = kind;
  failure.message = std::move(message);
  return failure;
}

FoldFailure out_of_memory_failure() { return failure_of(WorkerExit::Memory); }

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

}  // namespace

struct ScriptEngine::Impl {
  /// One fold: all that holds on to its realm.
  struct Fold {
    explicit Fold(JSContext* cx) : global(cx), handlers(cx), state(cx), object_prototype(cx) {}
    JS::PersistentRootedObject global;
    JS::PersistentRootedObject handlers;
    JS::PersistentRootedValue state;
    JS::PersistentRootedObject object_prototype;
    std::deque<JS::PersistentRootedValue> functions;
    std::unordered_map<std::string, std::size_t, TextHash, std::equal_to<>> by_type;
    std::optional<std::size_t> init, any, redacted;
    WorkerCounts counts;
    std::uint64_t events = 0;
    std::chrono::milliseconds call_time{};
    std::size_t state_bytes_max = 0;
  };

  Impl(JSContext* context, std::function<void(const FoldFailure&)> say)
      : cx(context),
        last_words(std::move(say)),
        watch({.interrupt = [context] { JS_RequestInterruptCallback(context); },
               .before_exit = [this](WorkerExit exit) { last_words(failure_of(exit)); }}) {}

  /// On the watching thread.
  [[nodiscard]] FoldFailure failure_of(WorkerExit exit) const {
    FoldFailure failure = net::failure_of(exit);
    if (const std::uint64_t number = event_in_call.load(); number != 0) failure.event = number - 1;
    return failure;
  }

  [[nodiscard]] static Impl& of(JSContext* cx) { return *static_cast<Impl*>(JS_GetContextPrivate(cx)); }

  static bool interrupted(JSContext* cx) {
    const Impl& self = of(cx);
    return !self.out_of_memory && !self.watch.expired();
  }

  static void on_out_of_memory(JSContext* cx, void* data) {
    // What a script catches, the fold does not survive: without that, one took 1.2 GB.
    static_cast<Impl*>(data)->out_of_memory = true;
    JS_RequestInterruptCallback(cx);
  }

  bool set_up() {
    JS_SetNativeStackQuota(cx, kStackBytes);
    JS_SetContextPrivate(cx, this);
    JS::ContextOptionsRef(cx).setAsmJS(false).setWasm(false).setSourcePragmas(false).setAsyncStack(false);
    JS::SetUseFdlibmForSinCosTan(true);  // those of the C library differ from machine to machine
    JS_SetGCParameter(cx, JSGC_INCREMENTAL_GC_ENABLED, 0);
    JS_SetSecurityCallbacks(cx, &kSecurity);
    JS::SetJobQueue(cx, &jobs);
    JS::SetOutOfMemoryCallback(cx, &on_out_of_memory, this);
    if (!JS_AddInterruptCallback(cx, &interrupted) || !JS::InitSelfHostedCode(cx)) return false;
    // A first realm, so that all that is made once is there.
    Fold first(cx);
    if (!new_realm(first)) return false;
    first.global = nullptr;
    JS_GC(cx);
    return true;
  }

  bool new_realm(Fold& to) {
    JS::RealmOptions options;
    options.creationOptions().setNewCompartmentAndZone().setSharedMemoryAndAtomicsEnabled(false).setWeakRefsEnabled(
        JS::WeakRefSpecifier::Disabled);
    to.global = JS_NewGlobalObject(cx, &kGlobalClass, nullptr, JS::DontFireOnNewGlobalHook, options);
    if (!to.global) return false;
    const JSAutoRealm in(cx, to.global);
    to.object_prototype = JS::GetRealmObjectPrototype(cx);
    if (!to.object_prototype) return false;
    if (!prelude) {
      JS::CompileOptions compile(cx);
      compile.setFileAndLine(kPreludeName, 1).setForceFullParse();
      JS::SourceText<mozilla::Utf8Unit> source;
      if (!source.init(cx, kScriptPrelude.data(), kScriptPrelude.size(), JS::SourceOwnership::Borrowed)) return false;
      prelude = JS::CompileGlobalScriptToStencil(cx, compile, source);
      if (!prelude) return false;
    }
    JS::RootedScript script(cx, JS::InstantiateGlobalStencil(cx, JS::InstantiateOptions(), prelude));
    return script && JS_ExecuteScript(cx, script);
  }

  /// What went wrong, and nothing of it is left in the engine. Calls nothing of the script.
  FoldFailure take_failure(FoldFailure::Kind kind) {
    if (!JS_IsExceptionPending(cx) || out_of_memory) {
      JS_ClearPendingException(cx);
      if (watch.expired() && !out_of_memory) return net::failure_of(WorkerExit::CallTime);
      return out_of_memory_failure();
    }
    JS::ExceptionStack thrown(cx);
    if (!JS::StealPendingExceptionStack(cx, &thrown)) {
      JS_ClearPendingException(cx);
      return out_of_memory_failure();
    }
    FoldFailure failure = make_failure(kind, {});
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
      failure.message = text_of(thrown.exception());
    }
    if (!failure.line) locate(failure, stack);
    failure.message = clean_text(failure.message, kMessageBytesMax);
    JS_ClearPendingException(cx);
    return out_of_memory ? out_of_memory_failure() : failure;
  }

  std::string text_of(JS::HandleValue value) {
    if (value.isString()) return beginning_of(cx, value.toString());
    if (value.isSymbol()) return "a thrown symbol";
    if (value.isBigInt()) return "a thrown BigInt";  // its text would take time without an end
    JS::RootedString text(cx, JS::ToString(cx, value));
    return text ? beginning_of(cx, text) : std::string();
  }

  /// The innermost place in the script.
  void locate(FoldFailure& failure, JS::HandleObject stack) {
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

  std::optional<FoldFailure> evaluate(Fold& to, std::string_view text) {
    const CallWatch::Limit timed(watch, to.call_time, WorkerExit::CallTime);
    JS::CompileOptions compile(cx);
    compile.setFileAndLine(kScriptName, 1);
    JS::SourceText<mozilla::Utf8Unit> source;
    if (!source.init(cx, text.data(), text.size(), JS::SourceOwnership::Borrowed)) {
      return take_failure(FoldFailure::Kind::Syntax);
    }
    JS::RootedScript script(cx, JS::Compile(cx, compile, source));
    if (!script) return take_failure(FoldFailure::Kind::Syntax);
    JS::RootedValue value(cx);
    if (!JS_ExecuteScript(cx, script, &value)) return take_failure(FoldFailure::Kind::Threw);
    bool is_array = false;
    if (value.isObject()) {
      JS::RootedObject object(cx, &value.toObject());
      if (!JS::IsArrayObject(cx, object, &is_array)) return take_failure(FoldFailure::Kind::Threw);
    }
    if (!value.isObject() || is_array || JS::IsCallable(&value.toObject())) {
      return make_failure(FoldFailure::Kind::Syntax, "the script's value is not an object of functions");
    }
    to.handlers = &value.toObject();
    JS::Rooted<JS::IdVector> ids(cx, JS::IdVector(cx));
    if (!JS_Enumerate(cx, to.handlers, &ids)) return take_failure(FoldFailure::Kind::Threw);
    JS::RootedId id(cx);
    JS::RootedValue function(cx);
    for (std::size_t i = 0; i < ids.length(); ++i) {
      id = ids[i];
      if (!JS_GetPropertyById(cx, to.handlers, id, &function)) return take_failure(FoldFailure::Kind::Threw);
      JS::RootedString key(cx, id.isString() ? id.toString() : nullptr);
      const std::string name =
          key ? beginning_of(cx, key) : (id.isInt() ? std::to_string(id.toInt()) : std::string("a symbol"));
      if (!function.isObject() || !JS::IsCallable(&function.toObject())) {
        return make_failure(FoldFailure::Kind::Syntax,
                            clean_text("the member " + name + " of the script's value is not a function", 256));
      }
      const std::size_t index = to.functions.size();
      to.functions.emplace_back(cx, function);
      if (name == "$init") {
        to.init = index;
      } else if (name == "$any") {
        to.any = index;
      } else if (name == "$redacted") {
        to.redacted = index;
      } else {
        to.by_type.emplace(name, index);
      }
    }
    if (out_of_memory) return take_failure(FoldFailure::Kind::Threw);
    return std::nullopt;
  }

  std::optional<FoldFailure> first_state(Fold& to, const std::optional<std::string_view>& given) {
    if (given) {
      const CallWatch::Limit timed(watch, kHostTime, WorkerExit::HostTime);
      JS::RootedString text(cx, new_string(cx, *given));
      JS::RootedValue state(cx);
      if (!text || !JS_ParseJSON(cx, text, &state)) return host_failure();
      to.state = state;
      return out_of_memory ? std::optional(host_failure()) : std::nullopt;
    }
    to.state.setObjectOrNull(JS_NewPlainObject(cx));
    if (to.state.isNull()) return host_failure();
    if (!to.init) return std::nullopt;
    const CallWatch::Limit timed(watch, to.call_time, WorkerExit::CallTime);
    return call(to, *to.init, JS::HandleValueArray::empty());
  }

  FoldFailure host_failure() {
    FoldFailure failure = take_failure(FoldFailure::Kind::Threw);
    if (failure.limit == "call-time") return net::failure_of(WorkerExit::HostTime);
    return failure;
  }

  /// Whatever it returns, but undefined, is the state. To be called with its time limited.
  std::optional<FoldFailure> call(Fold& to, std::size_t function, const JS::HandleValueArray& arguments) {
    JS::RootedValue this_value(cx, JS::ObjectValue(*to.handlers));
    JS::RootedValue result(cx);
    if (!JS::Call(cx, this_value, to.functions[function], arguments, &result) || out_of_memory) {
      return take_failure(FoldFailure::Kind::Threw);
    }
    if (!result.isUndefined()) to.state = result;
    return std::nullopt;
  }

  /// Which function an event goes to.
  static std::optional<std::size_t> function_for(const Fold& to, const WorkerEvent& event) {
    if (event.redacted && to.redacted) return to.redacted;
    const auto found = to.by_type.find(event.type);
    if (found != to.by_type.end()) return found->second;
    return to.any;
  }

  std::optional<FoldFailure> apply(Fold& to, const WorkerEvent& event) {
    const std::uint64_t number = to.events++;
    if (event.redacted) ++to.counts.redacted;
    const auto function = function_for(to, event);
    if (!function) {
      ++to.counts.ignored;
      return std::nullopt;
    }
    std::optional<FoldFailure> failure;
    {
      event_in_call.store(number + 1, std::memory_order_relaxed);
      const CallWatch::Limit timed(watch, to.call_time, WorkerExit::CallTime);
      JS::RootedValueArray<2> arguments(cx);
      arguments[0].set(to.state);
      if (new_event(to, event, arguments[1])) {
        failure = call(to, *function, arguments);
      } else {
        failure = take_failure(FoldFailure::Kind::Threw);
      }
    }
    event_in_call.store(0, std::memory_order_relaxed);
    if (failure) {
      failure->event = number;
    } else {
      ++to.counts.applied;
    }
    return failure;
  }

  bool new_event(Fold& to, const WorkerEvent& event, JS::MutableHandleValue made) {
    JS::RootedObject object(cx, JS_NewObjectWithGivenProto(cx, &kEventClass, to.object_prototype));
    if (!object) return false;
    made.setObject(*object);
    if (event.redacted) {
      JS::SetReservedSlot(object, kDataSlot, JS::NullValue());
    } else if (event.data) {
      JSString* const data = new_string(cx, *event.data);
      if (data == nullptr) return false;
      JS::SetReservedSlot(object, kDataSlot, JS::StringValue(data));
    }
    JSString* const envelope = new_string(cx, event.envelope);
    if (envelope == nullptr) return false;
    JS::SetReservedSlot(object, kEnvelopeSlot, JS::StringValue(envelope));
    return true;
  }

  JSContext* const cx;
  const std::function<void(const FoldFailure&)> last_words;
  std::atomic<std::uint64_t> event_in_call{0};  ///< its number, from 1; 0 = none
  CallWatch watch;
  NoJobs jobs;
  RefPtr<JS::Stencil> prelude;
  bool out_of_memory = false;
  std::unique_ptr<Fold> fold;
};

std::unique_ptr<ScriptEngine> ScriptEngine::create(std::size_t heap_bytes_max,
                                                   std::function<void(const FoldFailure&)> last_words) {
  JS::DisableJitBackend();  // or it reserves 2 GiB of address space, and needs memory that can be executed
  if (!JS_Init()) return nullptr;
  constexpr std::size_t kHeapBytesMax = std::size_t{1} << 31;
  JSContext* const cx = JS_NewContext(static_cast<std::uint32_t>(std::min(heap_bytes_max, kHeapBytesMax)));
  if (cx == nullptr) return nullptr;
  auto impl = std::make_unique<Impl>(cx, std::move(last_words));
  if (!impl->set_up()) return nullptr;
  return std::unique_ptr<ScriptEngine>(new ScriptEngine(std::move(impl)));
}

ScriptEngine::ScriptEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
// The process ends with it, and takes the context along.
ScriptEngine::~ScriptEngine() { (void)impl_.release(); }

std::string_view ScriptEngine::id() { return STELE_SCRIPT_ENGINE; }

std::optional<FoldFailure> ScriptEngine::begin(const WorkerStart& start) {
  if (impl_->fold) end();
  impl_->watch.work();
  impl_->out_of_memory = false;
  impl_->fold = std::make_unique<Impl::Fold>(impl_->cx);
  Impl::Fold& fold = *impl_->fold;
  fold.call_time = std::chrono::milliseconds(start.call_time_ms);
  fold.state_bytes_max = start.state_bytes_max;
  std::optional<FoldFailure> failure;
  if (!impl_->new_realm(fold)) {
    failure = impl_->take_failure(FoldFailure::Kind::Threw);
  } else {
    const JSAutoRealm in(impl_->cx, fold.global);
    failure = impl_->evaluate(fold, start.source);
    if (!failure) failure = impl_->first_state(fold, start.state);
  }
  impl_->watch.rest();
  return failure;
}

std::optional<FoldFailure> ScriptEngine::apply(std::span<const WorkerEvent> events) {
  Impl::Fold& fold = *impl_->fold;
  impl_->watch.work();
  std::optional<FoldFailure> failure;
  {
    const JSAutoRealm in(impl_->cx, fold.global);
    for (const WorkerEvent& event : events) {
      failure = impl_->apply(fold, event);
      if (failure) break;
    }
  }
  impl_->watch.rest();
  return failure;
}

std::variant<std::string, FoldFailure> ScriptEngine::state() {
  Impl::Fold& fold = *impl_->fold;
  impl_->watch.work();
  const JSAutoRealm in(impl_->cx, fold.global);
  std::variant<std::string, FoldFailure> result;
  {
    const CallWatch::Limit timed(impl_->watch, kHostTime, WorkerExit::HostTime);
    const StateWriter::Options options{.bytes_max = fold.state_bytes_max,
                                       .event_class = &kEventClass,
                                       .complete_event = &complete_event,
                                       .expired = [this] { return impl_->watch.expired(); }};
    StateWriter writer(impl_->cx, options);
    switch (writer.write(fold.state)) {
      case StateWriter::Outcome::Written:
        result = std::move(writer.json());
        break;
      case StateWriter::Outcome::NoJson: {
        FoldFailure failure = make_failure(FoldFailure::Kind::NoJson, clean_text(writer.message(), kMessageBytesMax));
        failure.pointer = clean_text(writer.pointer(), kPointerBytesMax);
        result = std::move(failure);
        break;
      }
      case StateWriter::Outcome::TooLarge:
        result = make_failure(FoldFailure::Kind::Limit, "the state is too large");
        std::get_if<FoldFailure>(&result)->limit = "state-size";
        break;
      case StateWriter::Outcome::Expired:
        result = net::failure_of(WorkerExit::HostTime);
        break;
      case StateWriter::Outcome::Failed:
        result = impl_->host_failure();
        break;
    }
    if (impl_->out_of_memory) result = impl_->host_failure();
  }
  impl_->watch.rest();
  return result;
}

void ScriptEngine::end() {
  if (!impl_->fold) return;
  impl_->fold.reset();
  JS_GC(impl_->cx);
}

const WorkerCounts& ScriptEngine::counts() const { return impl_->fold->counts; }

}  // namespace stele::net
