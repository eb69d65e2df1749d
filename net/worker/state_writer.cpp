#include "net/worker/state_writer.h"

#include <js/Array.h>
#include <js/CallAndConstruct.h>
#include <js/Conversions.h>
#include <js/Object.h>
#include <js/PropertyAndElement.h>
#include <js/PropertyDescriptor.h>
#include <js/Proxy.h>
#include <js/Realm.h>
#include <js/String.h>
#include <jsfriendapi.h>

#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "net/worker/worker_protocol.h"

namespace stele::net {

namespace {

constexpr std::size_t kNameBytesMax = 1024;
constexpr unsigned kAllOwnKeys = JSITER_OWNONLY | JSITER_HIDDEN | JSITER_SYMBOLS;

void append_escaped(std::string& to, unsigned char c) {
  constexpr char kHex[] = "0123456789abcdef";
  to += '\\';
  switch (c) {
    case '"':
    case '\\':
      to += static_cast<char>(c);
      break;
    case '\b':
      to += 'b';
      break;
    case '\f':
      to += 'f';
      break;
    case '\n':
      to += 'n';
      break;
    case '\r':
      to += 'r';
      break;
    case '\t':
      to += 't';
      break;
    default:
      to += "u00";
      to += kHex[c >> 4];
      to += kHex[c & 15];
  }
}

void append_utf8(std::string& to, char32_t c) {
  if (c < 0x80) {
    to += static_cast<char>(c);
  } else if (c < 0x800) {
    to += static_cast<char>(0xC0 | (c >> 6));
    to += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    to += static_cast<char>(0xE0 | (c >> 12));
    to += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    to += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    to += static_cast<char>(0xF0 | (c >> 18));
    to += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    to += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    to += static_cast<char>(0x80 | (c & 0x3F));
  }
}

bool needs_escape(char32_t c) { return c < 0x20 || c == '"' || c == '\\'; }

/// False at a surrogate without its other half. Ends early beyond `bytes_max`.
bool append_units(std::string& to, const JS::Latin1Char* units, std::size_t count, std::size_t bytes_max) {
  std::size_t plain = 0;  // where what can be copied begins
  for (std::size_t i = 0; i < count; ++i) {
    if (!needs_escape(units[i]) && units[i] < 0x80) continue;
    to.append(reinterpret_cast<const char*>(units + plain), i - plain);
    plain = i + 1;
    if (units[i] < 0x80) {
      append_escaped(to, units[i]);
    } else {
      append_utf8(to, units[i]);
    }
    if (to.size() > bytes_max) return true;
  }
  to.append(reinterpret_cast<const char*>(units + plain), count - plain);
  return true;
}

bool append_units(std::string& to, const char16_t* units, std::size_t count, std::size_t bytes_max) {
  for (std::size_t i = 0; i < count; ++i) {
    char32_t c = units[i];
    if (c >= 0xD800 && c < 0xE000) {
      if (c >= 0xDC00 || i + 1 == count || units[i + 1] < 0xDC00 || units[i + 1] >= 0xE000) return false;
      c = 0x10000 + ((c - 0xD800) << 10) + (units[++i] - 0xDC00U);
    }
    if (needs_escape(c)) {
      append_escaped(to, static_cast<unsigned char>(c));
    } else {
      append_utf8(to, c);
    }
    if (to.size() > bytes_max) return true;
  }
  return true;
}

/// What a class is called in a message.
std::string name_of(const JSClass* clasp) {
  const std::string_view name = clasp->name;
  const bool vowel = !name.empty() && std::string_view("AEIO").find(name[0]) != std::string_view::npos;
  return (vowel ? "an " : "a ") + std::string(name);
}

}  // namespace

StateWriter::StateWriter(JSContext* cx, const Options& options)
    : cx_(cx), options_(options), object_prototype_(cx), array_prototype_(cx), open_(cx) {}

StateWriter::Outcome StateWriter::write(JS::HandleValue to_write) {
  JS::RootedObject plain(cx_, JS_NewPlainObject(cx_));
  if (!plain) return Outcome::Failed;
  plain_class_ = JS::GetClass(plain);
  object_prototype_ = JS::GetRealmObjectPrototype(cx_);
  array_prototype_ = JS::GetRealmArrayPrototype(cx_);
  if (!object_prototype_ || !array_prototype_) return Outcome::Failed;
  if (to_write.isUndefined()) return no_json("undefined");
  return value(to_write);
}

StateWriter::Outcome StateWriter::no_json(std::string_view why) {
  message_ = why;
  return Outcome::NoJson;
}

StateWriter::Outcome StateWriter::bounded() const {
  return json_.size() > options_.bytes_max ? Outcome::TooLarge : Outcome::Written;
}

StateWriter::Outcome StateWriter::value(JS::HandleValue value) {
  if (value.isObject()) {
    JS::RootedObject inner(cx_, &value.toObject());
    return object(inner);
  }
  if (value.isString()) return string(value.toString());
  if (value.isNumber()) return number(value.toNumber());
  if (value.isBoolean()) {
    json_ += value.toBoolean() ? "true" : "false";
    return bounded();
  }
  if (value.isNull()) {
    json_ += "null";
    return bounded();
  }
  if (value.isSymbol()) return no_json("a symbol");
  if (value.isBigInt()) return no_json("a BigInt");
  return no_json("undefined");
}

StateWriter::Outcome StateWriter::number(double number) {
  if (std::isnan(number)) return no_json("NaN");
  if (std::isinf(number)) return no_json(number < 0 ? "-Infinity" : "Infinity");
  if (number == std::floor(number) && std::fabs(number) < 1e15) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, static_cast<std::int64_t>(number)).ptr;
    json_.append(digits, static_cast<std::size_t>(end - digits));
  } else {
    char digits[JS::MaximumNumberToStringLength];
    JS::NumberToString(number, digits);
    json_ += digits;
  }
  return bounded();
}

StateWriter::Outcome StateWriter::string(JSString* text) {
  JSLinearString* const linear = JS_EnsureLinearString(cx_, text);
  if (linear == nullptr) return Outcome::Failed;
  const JS::AutoCheckCannotGC no_gc(cx_);
  const std::size_t length = JS::GetLinearStringLength(linear);
  if (length > options_.bytes_max) return Outcome::TooLarge;
  json_ += '"';
  const bool whole =
      JS::LinearStringHasLatin1Chars(linear)
          ? append_units(json_, JS::GetLatin1LinearStringChars(no_gc, linear), length, options_.bytes_max)
          : append_units(json_, JS::GetTwoByteLinearStringChars(no_gc, linear), length, options_.bytes_max);
  if (!whole) return no_json("a text with half a surrogate pair");
  json_ += '"';
  return bounded();
}

StateWriter::Outcome StateWriter::key(JS::HandleId id) {
  if (id.isInt()) {
    json_ += '"';
    json_ += std::to_string(id.toInt());
    json_ += '"';
    return bounded();
  }
  return string(id.toString());
}

StateWriter::Outcome StateWriter::object(JS::HandleObject object) {
  // First of all: whatever else is asked of one may run its traps.
  if (js::IsProxy(object)) return no_json("a Proxy");
  if (options_.expired()) return Outcome::Expired;
  if (JS::IsCallable(object)) return no_json("a function");
  const JSClass* const clasp = JS::GetClass(object);
  bool is_array = false;
  if (!JS::IsArrayObject(cx_, object, &is_array)) return Outcome::Failed;
  if (options_.is_event(clasp)) {
    if (!options_.complete_event(cx_, object)) return Outcome::Failed;
  } else if (!is_array && clasp != plain_class_) {
    return no_json(name_of(clasp));
  }
  JS::RootedObject prototype(cx_);
  if (!JS_GetPrototype(cx_, object, &prototype)) return Outcome::Failed;
  if (is_array ? prototype != array_prototype_ : prototype != nullptr && prototype != object_prototype_) {
    return no_json(is_array ? "an array of a class of its own" : "an instance of a class");
  }
  for (std::size_t i = 0; i < open_.length(); ++i) {
    if (open_[i] == object) return no_json("it contains itself");
  }
  if (open_.length() >= kStateDepthMax) return no_json("it lies deeper than 512 levels");
  if (!open_.append(object)) return Outcome::Failed;
  const Outcome outcome = is_array ? elements(object) : members(object);
  open_.popBack();
  return outcome;
}

StateWriter::Outcome StateWriter::members(JS::HandleObject object) {
  JS::RootedIdVector ids(cx_);
  if (!js::GetPropertyKeys(cx_, object, kAllOwnKeys, &ids)) return Outcome::Failed;
  JS::RootedId id(cx_);
  JS::RootedValue member(cx_);
  JS::Rooted<mozilla::Maybe<JS::PropertyDescriptor>> property(cx_);
  json_ += '{';
  bool first = true;
  for (std::size_t i = 0; i < ids.length(); ++i) {
    id = ids[i];
    if (id.isSymbol()) return no_json("it has a member whose name is a symbol");
    if (!JS_GetOwnPropertyDescriptorById(cx_, object, id, &property)) return Outcome::Failed;
    if (property.isNothing()) continue;
    Outcome outcome = Outcome::Written;
    if (property->isAccessorDescriptor()) {
      outcome = no_json("a getter or setter");
    } else if (!property->enumerable()) {
      outcome = no_json("a member that cannot be enumerated");
    } else {
      member = property->value();
      if (member.isUndefined()) continue;
      if (!first) json_ += ',';
      first = false;
      outcome = key(id);
      if (outcome == Outcome::Written) {
        json_ += ':';
        outcome = value(member);
      }
    }
    if (outcome != Outcome::Written) {
      if (outcome == Outcome::NoJson) in_member(id);
      return outcome;
    }
  }
  json_ += '}';
  return bounded();
}

StateWriter::Outcome StateWriter::elements(JS::HandleObject array) {
  std::uint32_t length = 0;
  if (!JS::GetArrayLength(cx_, array, &length)) return Outcome::Failed;
  // All that it has are its elements, and `length`.
  JS::RootedIdVector ids(cx_);
  if (!js::GetPropertyKeys(cx_, array, kAllOwnKeys, &ids)) return Outcome::Failed;
  JS::RootedId id(cx_);
  JS::RootedValue element(cx_);
  JS::Rooted<mozilla::Maybe<JS::PropertyDescriptor>> property(cx_);
  json_ += '[';
  std::uint32_t next = 0;
  for (std::size_t i = 0; i < ids.length(); ++i) {
    id = ids[i];
    if (!id.isInt()) continue;
    const auto index = static_cast<std::uint32_t>(id.toInt());
    if (index >= length) continue;
    Outcome outcome = Outcome::Written;
    if (index != next) {
      outcome = no_json("a hole in an array");
      in_element(next);
      return outcome;
    }
    if (!JS_GetOwnPropertyDescriptorById(cx_, array, id, &property)) return Outcome::Failed;
    if (property.isNothing() || property->isAccessorDescriptor()) {
      outcome = no_json("a getter or setter");
    } else {
      if (next != 0) json_ += ',';
      element = property->value();
      outcome = value(element);
    }
    if (outcome != Outcome::Written) {
      if (outcome == Outcome::NoJson) in_element(index);
      return outcome;
    }
    ++next;
  }
  if (next != length) {
    const Outcome outcome = no_json("a hole in an array");
    in_element(next);
    return outcome;
  }
  if (ids.length() != std::size_t{length} + 1) return no_json("an array that has members beside its elements");
  json_ += ']';
  return bounded();
}

void StateWriter::in_member(JS::HandleId id) {
  std::string name;
  if (id.isInt()) {
    name = std::to_string(id.toInt());
  } else if (id.isString()) {
    // Atoms are linear. A pointer is for people: of a very long name the beginning will do.
    std::array<char, kNameBytesMax> bytes{};
    const auto written =
        JS_EncodeStringToUTF8BufferPartial(cx_, id.toString(), mozilla::Span(bytes.data(), bytes.size()));
    if (written) name.assign(bytes.data(), mozilla::Get<1>(*written));
  }
  std::string token = "/";
  for (const char c : name) {
    if (c == '~') {
      token += "~0";
    } else if (c == '/') {
      token += "~1";
    } else {
      token += c;
    }
  }
  pointer_.insert(0, token);
}

void StateWriter::in_element(std::uint32_t index) { pointer_.insert(0, "/" + std::to_string(index)); }

}  // namespace stele::net
