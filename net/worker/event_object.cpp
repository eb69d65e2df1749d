#include "net/worker/event_object.h"

#include <js/Class.h>
#include <js/Conversions.h>
#include <js/GCVector.h>
#include <js/Id.h>
#include <js/JSON.h>
#include <js/Object.h>
#include <js/PropertyAndElement.h>
#include <js/PropertyDescriptor.h>
#include <js/Realm.h>
#include <js/String.h>
#include <jsapi.h>
#include <jsfriendapi.h>

#include <array>
#include <charconv>
#include <cstring>
#include <string>

namespace stele::net {

namespace {

// Slots of both classes. The text is the event's, shared by the event and its data.
constexpr std::uint32_t kTextSlot = 0;
constexpr std::uint32_t kBeginSlot = 1;  ///< of this object's JSON in the text; undefined = all members were made
constexpr std::uint32_t kEndSlot = 2;
constexpr std::uint32_t kLooksSlot = 3;  ///< how many members were looked for one by one
constexpr std::uint32_t kDataSlots = 4;
// Of an event only, whose data begins where its own JSON ends.
constexpr std::uint32_t kDataEndSlot = 4;  ///< null = redacted; undefined = there is no data, or it is a member by now
constexpr std::uint32_t kEventSlots = 5;

/// Each look reads the text anew.
constexpr int kLooksMax = 8;
/// A value up to this length does not keep the whole text in memory.
constexpr std::size_t kCopiedBytesMax = 128;
/// Of a script that wants all members of most data, the data is made whole from the start.
constexpr int kWholeAfter = 32;

jsid data_name;
int wants_whole = 0;

bool is_ascii(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  std::uint64_t seen = 0;
  for (; end - at >= 8; at += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, at, 8);
    seen |= eight;
  }
  for (; at != end; ++at) seen |= static_cast<unsigned char>(*at);
  return (seen & 0x8080808080808080U) == 0;
}

/// Of UTF-8, once it is a string of the engine.
std::size_t utf16_units(std::string_view text) {
  std::size_t units = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    units += (byte & 0xC0U) != 0x80U ? 1 : 0;
    units += byte >= 0xF0U ? 1 : 0;
  }
  return units;
}

// Looking for one member in the text of an object, which is valid JSON.

struct Slice {
  std::size_t begin = 0;
  std::size_t end = 0;
};
enum class Search {
  Found,
  Absent,
  Unsure,  ///< names have to be unescaped to be compared
};

std::size_t behind_space(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t')) ++at;
  return at;
}

/// `at` is behind the opening quote. npos if it does not end.
std::size_t behind_string(std::string_view text, std::size_t at) {
  while (true) {
    const std::size_t quote = text.find('"', at);
    if (quote == std::string_view::npos) return quote;
    std::size_t escapes = 0;
    while (quote - escapes > at && text[quote - escapes - 1] == '\\') ++escapes;
    if (escapes % 2 == 0) return quote + 1;
    at = quote + 1;
  }
}

std::size_t behind_value(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  while (at < text.size()) {
    switch (text[at]) {
      case '"':
        at = behind_string(text, at + 1);
        if (at == std::string_view::npos || depth == 0) return at;
        continue;
      case '{':
      case '[':
        ++depth;
        break;
      case '}':
      case ']':
        if (depth == 0) return at;
        if (--depth == 0) return at + 1;
        break;
      case ',':
      case ' ':
      case '\n':
      case '\r':
      case '\t':
        if (depth == 0) return at;
        break;
      default:
        break;
    }
    ++at;
  }
  return std::string_view::npos;
}

/// Of members with the same name the last one counts.
Search find_member(std::string_view text, std::string_view name, Slice& value) {
  auto found = Search::Absent;
  std::size_t at = 1;
  while (true) {
    at = behind_space(text, at);
    if (at >= text.size()) return Search::Unsure;
    if (text[at] == '}') return found;
    if (text[at] == ',') {
      ++at;
      continue;
    }
    const std::size_t name_end = text[at] == '"' ? text.find('"', at + 1) : std::string_view::npos;
    if (name_end == std::string_view::npos) return Search::Unsure;
    const std::string_view its_name = text.substr(at + 1, name_end - at - 1);
    if (its_name.find('\\') != std::string_view::npos) return Search::Unsure;
    at = behind_space(text, name_end + 1);
    if (at >= text.size() || text[at] != ':') return Search::Unsure;
    const std::size_t begin = behind_space(text, at + 1);
    at = behind_value(text, begin);
    if (at == std::string_view::npos || at == begin) return Search::Unsure;
    if (its_name != name) continue;
    value = {begin, at};
    found = Search::Found;
  }
}

// Objects.

std::size_t slot_number(JSObject* object, std::uint32_t slot) {
  return static_cast<std::size_t>(JS::GetReservedSlot(object, slot).toInt32());
}
JS::Value number_value(std::size_t number) { return JS::Int32Value(static_cast<std::int32_t>(number)); }

bool parse_slice(JSContext* cx, JS::HandleString text, Slice slice, JS::MutableHandleValue value) {
  JS::RootedString part(cx, JS_NewDependentString(cx, text, slice.begin, slice.end - slice.begin));
  return part && JS_ParseJSON(cx, part, value);
}

/// One member of `object`, without the others.
bool peek(JSContext* cx, JS::HandleObject object, JS::HandleId id, JS::MutableHandleValue member, Search* result) {
  *result = Search::Unsure;
  JS::RootedString text(cx, JS::GetReservedSlot(object, kTextSlot).toString());
  JSLinearString* const linear = JS_EnsureLinearString(cx, text);
  if (linear == nullptr) return false;
  JSLinearString* const name = id.toLinearString();
  if (!JS::LinearStringHasLatin1Chars(linear) || !JS::LinearStringHasLatin1Chars(name)) return true;
  const std::size_t object_begin = slot_number(object, kBeginSlot);
  std::array<char, kCopiedBytesMax> copied;
  Slice value;
  char first = 0;
  {
    const JS::AutoCheckCannotGC no_gc(cx);
    const auto view = [&](JSLinearString* from) {
      return std::string_view(reinterpret_cast<const char*>(JS::GetLatin1LinearStringChars(no_gc, from)),
                              JS::GetLinearStringLength(from));
    };
    const std::string_view whole = view(linear);
    const std::string_view json = whole.substr(object_begin, slot_number(object, kEndSlot) - object_begin);
    *result = find_member(json, view(name), value);
    if (*result != Search::Found) return true;
    value = {value.begin + object_begin, value.end + object_begin};
    std::string_view found = whole.substr(value.begin, value.end - value.begin);
    first = found.front();
    if (first == '"' && found.find('\\') == std::string_view::npos) {
      value = {value.begin + 1, value.end - 1};
      found = found.substr(1, found.size() - 2);
    } else if (first == '"') {
      first = '\\';  // to be read by the engine
    }
    if (found.size() <= copied.size()) found.copy(copied.data(), found.size());
  }
  const std::size_t bytes = value.end - value.begin;
  switch (first) {
    case '"': {
      JSString* const made = bytes <= copied.size() ? JS_NewStringCopyN(cx, copied.data(), bytes)
                                                    : JS_NewDependentString(cx, text, value.begin, bytes);
      if (made == nullptr) return false;
      member.setString(made);
      return true;
    }
    case 't':
    case 'f':
      member.setBoolean(first == 't');
      return true;
    case 'n':
      member.setNull();
      return true;
    case '{':
    case '[':
    case '\\':
      return parse_slice(cx, text, value, member);
    default: {
      double number = 0;
      const char* const end = copied.data() + bytes;
      if (bytes > copied.size()) return parse_slice(cx, text, value, member);
      const auto [stopped, error] = std::from_chars(copied.data(), end, number);
      if (error != std::errc() || stopped != end) return parse_slice(cx, text, value, member);
      member.setNumber(number);
      return true;
    }
  }
}

bool complete_members(JSContext* cx, JS::HandleObject object) {
  if (JS::GetReservedSlot(object, kBeginSlot).isUndefined()) return true;
  JS::RootedString text(cx, JS::GetReservedSlot(object, kTextSlot).toString());
  JS::RootedValue parsed(cx);
  if (!parse_slice(cx, text, {slot_number(object, kBeginSlot), slot_number(object, kEndSlot)}, &parsed)) return false;
  JS::RootedObject members(cx, &parsed.toObject());
  JS::SetReservedSlot(object, kBeginSlot, JS::UndefinedValue());  // from here on nothing calls this again

  // What is there already, perhaps changed, is taken out and put back in its place. Only a member that a script has
  // defined as not configurable cannot be moved.
  JS::RootedIdVector own(cx);
  if (!js::GetPropertyKeys(cx, object, JSITER_OWNONLY | JSITER_HIDDEN | JSITER_SYMBOLS, &own)) return false;
  JS::RootedVector<JS::PropertyDescriptor> kept(cx);
  JS::RootedIdVector taken(cx);
  for (std::size_t i = 0; i < own.length(); ++i) {
    JS::Rooted<mozilla::Maybe<JS::PropertyDescriptor>> described(cx);
    if (!JS_GetOwnPropertyDescriptorById(cx, object, own[i], &described)) return false;
    if (described.isNothing() || !described->configurable()) continue;
    JS::ObjectOpResult removed;
    if (!JS_DeletePropertyById(cx, object, own[i], removed)) return false;
    if (removed && (!kept.append(*described) || !taken.append(own[i]))) return false;
  }
  const auto put_back = [&](std::size_t i) { return JS_DefinePropertyById(cx, object, taken[i], kept[i]); };
  JS::Rooted<JS::IdVector> ids(cx, JS::IdVector(cx));
  if (!JS_Enumerate(cx, members, &ids)) return false;
  JS::RootedId id(cx);
  JS::RootedValue member(cx);
  for (std::size_t i = 0; i < ids.length(); ++i) {
    id = ids[i];
    std::size_t place = 0;
    while (place < taken.length() && taken[place] != id) ++place;
    if (place < taken.length()) {
      if (!put_back(place)) return false;
      taken[place].set(JS::PropertyKey::Void());
      continue;
    }
    bool is_there = false;
    if (!own.empty() && !JS_AlreadyHasOwnPropertyById(cx, object, id, &is_there)) return false;
    if (is_there) continue;
    if (!JS_GetPropertyById(cx, members, id, &member)) return false;
    if (!JS_DefinePropertyById(cx, object, id, member, JSPROP_ENUMERATE)) return false;
  }
  for (std::size_t i = 0; i < taken.length(); ++i) {
    if (!taken[i].isVoid() && !put_back(i)) return false;
  }
  return true;
}

bool complete_data(JSContext* cx, JS::HandleObject data) {
  if (JS::GetReservedSlot(data, kBeginSlot).isUndefined()) return true;
  wants_whole += 2;
  return complete_members(cx, data);
}

bool resolve_member(JSContext* cx, JS::HandleObject object, JS::HandleId id, bool* resolved,
                    bool (*complete)(JSContext*, JS::HandleObject)) {
  *resolved = false;
  if (id.isSymbol() || JS::GetReservedSlot(object, kBeginSlot).isUndefined()) return true;
  const std::size_t looks = slot_number(object, kLooksSlot);
  if (id.isString() && looks < kLooksMax) {
    JS::SetReservedSlot(object, kLooksSlot, number_value(looks + 1));
    JS::RootedValue member(cx);
    auto search = Search::Unsure;
    if (!peek(cx, object, id, &member, &search)) return false;
    if (search == Search::Absent) return true;
    if (search == Search::Found) {
      *resolved = true;
      return JS_DefinePropertyById(cx, object, id, member, JSPROP_ENUMERATE);
    }
  }
  return complete(cx, object) && JS_AlreadyHasOwnPropertyById(cx, object, id, resolved);
}

bool resolve_data(JSContext* cx, JS::HandleObject data, JS::HandleId id, bool* resolved) {
  return resolve_member(cx, data, id, resolved, &complete_data);
}

bool delete_from_data(JSContext* cx, JS::HandleObject data, JS::HandleId /*id*/, JS::ObjectOpResult& result) {
  return complete_data(cx, data) && result.succeed();
}

constexpr JSClassOps kDataOps = {nullptr, delete_from_data, complete_data, nullptr, resolve_data,
                                 nullptr, nullptr,          nullptr,       nullptr, nullptr};
constexpr JSClass kDataClass = {"Object", JSCLASS_HAS_RESERVED_SLOTS(kDataSlots), &kDataOps, nullptr, nullptr, nullptr};

/// The member `data`, if it was not made yet.
bool make_data(JSContext* cx, JS::HandleObject event) {
  const JS::Value end = JS::GetReservedSlot(event, kDataEndSlot);
  if (end.isUndefined()) return true;
  JS::RootedValue data(cx, JS::NullValue());
  if (end.isInt32()) {
    JS::RootedString text(cx, JS::GetReservedSlot(event, kTextSlot).toString());
    const Slice slice{slot_number(event, kEndSlot), static_cast<std::size_t>(end.toInt32())};
    char16_t first = 0;
    if (!JS_GetStringCharAt(cx, text, slice.begin, &first)) return false;
    if (first == u'{' && wants_whole < kWholeAfter) {
      if (wants_whole > 0) --wants_whole;
      JS::RootedObject prototype(cx, JS::GetRealmObjectPrototype(cx));
      JSObject* const object = prototype ? JS_NewObjectWithGivenProto(cx, &kDataClass, prototype) : nullptr;
      if (object == nullptr) return false;
      JS::SetReservedSlot(object, kTextSlot, JS::StringValue(text));
      JS::SetReservedSlot(object, kBeginSlot, number_value(slice.begin));
      JS::SetReservedSlot(object, kEndSlot, number_value(slice.end));
      JS::SetReservedSlot(object, kLooksSlot, number_value(0));
      data.setObject(*object);
    } else if (!parse_slice(cx, text, slice, &data)) {
      return false;
    }
  }
  JS::SetReservedSlot(event, kDataEndSlot, JS::UndefinedValue());
  JS::RootedId id(cx, data_name);
  return JS_DefinePropertyById(cx, event, id, data, JSPROP_ENUMERATE);
}

bool complete_event(JSContext* cx, JS::HandleObject event) {
  return complete_members(cx, event) && make_data(cx, event);
}

bool resolve_event(JSContext* cx, JS::HandleObject event, JS::HandleId id, bool* resolved) {
  if (id != data_name) return resolve_member(cx, event, id, resolved, &complete_members);
  *resolved = !JS::GetReservedSlot(event, kDataEndSlot).isUndefined();
  return make_data(cx, event);
}

/// A member that is deleted does not come back.
bool delete_from_event(JSContext* cx, JS::HandleObject event, JS::HandleId /*id*/, JS::ObjectOpResult& result) {
  return complete_event(cx, event) && result.succeed();
}

constexpr JSClassOps kEventOps = {nullptr, delete_from_event, complete_event, nullptr, resolve_event,
                                  nullptr, nullptr,           nullptr,        nullptr, nullptr};
constexpr JSClass kEventClass = {"Object", JSCLASS_HAS_RESERVED_SLOTS(kEventSlots), &kEventOps, nullptr, nullptr,
                                 nullptr};

}  // namespace

JSString* new_script_string(JSContext* cx, std::string_view text) {
  return is_ascii(text) ? JS_NewStringCopyN(cx, text.data(), text.size())
                        : JS_NewStringCopyUTF8N(cx, JS::UTF8Chars(text.data(), text.size()));
}

bool prepare_event_objects(JSContext* cx) {
  JSString* const name = JS_AtomizeAndPinString(cx, "data");
  if (name == nullptr) return false;
  data_name = JS::PropertyKey::fromPinnedString(name);
  return true;
}

void begin_event_objects() { wants_whole = 0; }

JSObject* new_event_object(JSContext* cx, JS::HandleObject object_prototype, const WorkerEvent& event) {
  JS::RootedObject object(cx, JS_NewObjectWithGivenProto(cx, &kEventClass, object_prototype));
  if (!object) return nullptr;
  const std::string_view envelope = event.envelope;
  const std::string_view data = event.data.value_or("");
  std::string joined;
  std::string_view text(envelope.data(), envelope.size() + data.size());  // they came one behind the other
  if (!data.empty() && data.data() != envelope.data() + envelope.size()) text = joined.append(envelope).append(data);
  const bool ascii = is_ascii(text);
  JSString* const made = ascii ? JS_NewStringCopyN(cx, text.data(), text.size())
                               : JS_NewStringCopyUTF8N(cx, JS::UTF8Chars(text.data(), text.size()));
  if (made == nullptr) return nullptr;
  const std::size_t envelope_end = ascii ? envelope.size() : utf16_units(envelope);
  JS::SetReservedSlot(object, kTextSlot, JS::StringValue(made));
  JS::SetReservedSlot(object, kBeginSlot, number_value(0));
  JS::SetReservedSlot(object, kEndSlot, number_value(envelope_end));
  JS::SetReservedSlot(object, kLooksSlot, number_value(0));
  if (event.redacted) {
    JS::SetReservedSlot(object, kDataEndSlot, JS::NullValue());
  } else if (event.data) {
    JS::SetReservedSlot(object, kDataEndSlot, number_value(JS::GetStringLength(made)));
  }
  return object;
}

bool is_event_class(const JSClass* clasp) { return clasp == &kEventClass || clasp == &kDataClass; }

bool complete_event_object(JSContext* cx, JS::HandleObject object) {
  return JS::GetClass(object) == &kEventClass ? complete_event(cx, object) : complete_data(cx, object);
}

}  // namespace stele::net
