#include "api/schemas/edited_json.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "api/json/json_string.h"
#include "api/json/json_text.h"
#include "api/json/plain_text.h"

namespace stele::api {

namespace {

constexpr std::size_t kTextBytesPerWork = 64;

EditedJson::Value text_value(std::string_view json) {
  const JsonSpan span = JsonCursor(json).value();
  EditedJson::Value value;
  value.text = span.text;
  value.depth = span.depth;
  return value;
}

}  // namespace

EditedJson::EditedJson(std::string_view json, const Limits& limits)
    : limits_(limits), work_(limits.work), bytes_(json.size()), root_(text_value(json)) {}

EditedJson::~EditedJson() = default;

bool EditedJson::fail(std::string_view pointer, std::string detail) {
  if (!error_) error_ = EditError{std::string(pointer), std::move(detail)};
  return false;
}

bool EditedJson::spend(std::uint64_t units) { return work_.spend(units) || fail("", "It takes too much work."); }

bool EditedJson::grow(std::size_t bytes) {
  if (bytes > limits_.bytes_max || bytes_ > limits_.bytes_max - bytes) {
    return fail("", "More than " + std::to_string(limits_.bytes_max) + " bytes would come out.");
  }
  bytes_ += bytes;
  return true;
}

void EditedJson::expand(Value& value) {
  if (value.kind != Value::Kind::Text || value.text.empty()) return;
  const char open = value.text.front();
  if (open != '{' && open != '[') return;
  const char* at = value.text.data() + 1;
  const char* const end = value.text.data() + value.text.size();
  std::vector<Member> members;
  while (true) {
    while (at < end && (is_json_space(*at) || *at == ',')) ++at;
    if (at == end || *at == '}' || *at == ']') break;
    Member& member = members.emplace_back();
    if (open == '{') {
      const char* const behind = end_of_json_string(at, end);
      member.name = {at, static_cast<std::size_t>(behind - at)};
      at = behind;
      while (at < end && (is_json_space(*at) || *at == ':')) ++at;
    }
    member.value = text_value({at, static_cast<std::size_t>(end - at)});
    if (member.value.text.empty()) break;
    at = member.value.text.data() + member.value.text.size();
  }
  (void)spend(1 + members.size() + value.text.size() / kTextBytesPerWork);
  value.kind = open == '{' ? Value::Kind::Object : Value::Kind::Array;
  value.members = std::move(members);
  value.text = {};
}

EditedJson::Member* EditedJson::member(Value& object, std::string_view name) {
  if (!spend(1 + object.members.size())) return nullptr;
  const auto found = std::find_if(object.members.rbegin(), object.members.rend(),
                                  [&](const Member& each) { return same_json_string(each.name, name); });
  return found == object.members.rend() ? nullptr : &*found;
}

EditedJson::Value* EditedJson::find(const JsonPointer& place) {
  Value* at = &root_;
  for (std::size_t i = 0; i < place.depth() && !error_; ++i) {
    expand(*at);
    if (at->kind == Value::Kind::Object) {
      Member* const found = member(*at, place.name(i));
      if (found == nullptr) return nullptr;
      at = &found->value;
    } else if (at->kind == Value::Kind::Array) {
      const auto index = array_index(place.token(i));
      if (!index) {
        fail(place.prefix(i), "It is an array, which has no member '" + place.token(i) + "'.");
        return nullptr;
      }
      if (*index >= at->members.size()) return nullptr;
      at = &at->members[*index].value;
    } else if (at->text == "null") {
      return nullptr;
    } else {
      fail(place.prefix(i), "It is neither an object nor an array.");
    }
  }
  return error_ ? nullptr : at;
}

EditedJson::Value* EditedJson::slot(const JsonPointer& place) {
  Value* at = &root_;
  for (std::size_t i = 0; i < place.depth() && !error_; ++i) {
    expand(*at);
    if (at->kind == Value::Kind::Text) {
      fail(place.prefix(i), "It is neither an object nor an array.");
      return nullptr;
    }
    Member* next = nullptr;
    if (at->kind == Value::Kind::Object) {
      next = member(*at, place.name(i));
      if (error_) return nullptr;
    } else if (const auto index = array_index(place.token(i)); index && *index < at->members.size()) {
      next = &at->members[*index];
    } else if (place.token(i) != "-" && index != at->members.size()) {
      fail(place.prefix(i), "The array has no element '" + place.token(i) + "', and it would not be the next one.");
      return nullptr;
    }
    if (next == nullptr) {
      const bool is_element = at->kind == Value::Kind::Array;
      const std::string_view name = is_element ? std::string_view() : std::string_view(place.name(i));
      if (!grow(name.size() + 4)) return nullptr;
      next = &at->members.emplace_back(Member{name, {}});
      next->value.kind = Value::Kind::Object;
    }
    at = &next->value;
  }
  return error_ ? nullptr : at;
}

std::optional<std::uint32_t> EditedJson::depth_of(const Value& value) {
  if (value.kind == Value::Kind::Text) return value.depth;
  if (!spend(1 + value.members.size())) return std::nullopt;
  std::uint32_t deepest = 0;
  for (const Member& member : value.members) {
    const auto depth = depth_of(member.value);
    if (!depth) return std::nullopt;
    deepest = std::max(deepest, *depth);
  }
  return deepest + 1;
}

bool EditedJson::fits(const JsonPointer& place, std::uint32_t depth) {
  return place.depth() + depth <= limits_.depth_max ||
         fail(place.prefix(place.depth()), "It would be deeper than " + std::to_string(limits_.depth_max) + ".");
}

bool EditedJson::put(const JsonPointer& place, Value value) {
  const auto depth = depth_of(value);
  if (!depth || !fits(place, *depth)) return false;
  Value* const to = slot(place);
  if (to == nullptr) return false;
  *to = std::move(value);
  return true;
}

bool EditedJson::remove(const JsonPointer& place) {
  const std::size_t last = place.depth() - 1;
  const auto parent_place = JsonPointer::parse(place.prefix(last));
  Value* const parent = parent_place ? find(*parent_place) : nullptr;
  if (parent == nullptr) return fail(place.prefix(last), "It is not there.");
  if (parent->kind == Value::Kind::Array) {
    const auto index = array_index(place.token(last));
    if (!index || *index >= parent->members.size()) return fail(place.prefix(last), "It has no such element.");
    if (!spend(parent->members.size())) return false;
    parent->members.erase(parent->members.begin() + static_cast<std::ptrdiff_t>(*index));
    return true;
  }
  if (!spend(1 + parent->members.size())) return false;
  std::erase_if(parent->members, [&](const Member& each) { return same_json_string(each.name, place.name(last)); });
  return true;
}

bool EditedJson::rename(const JsonPointer& place, std::string_view name) {
  const std::size_t last = place.depth() - 1;
  const auto parent_place = JsonPointer::parse(place.prefix(last));
  Value* const parent = parent_place ? find(*parent_place) : nullptr;
  if (parent == nullptr) return fail(place.prefix(last), "It is not there.");
  if (parent->kind != Value::Kind::Object) {
    return fail(place.prefix(last), "It is an array, whose elements have no names.");
  }
  if (same_json_string(place.name(last), name)) return true;
  Member* const renamed = member(*parent, place.name(last));
  if (renamed == nullptr || !spend(2 * parent->members.size()) || !grow(name.size())) return false;
  renamed->name = {};
  std::erase_if(parent->members, [&](const Member& each) {
    return !each.name.empty() && (same_json_string(each.name, name) || same_json_string(each.name, place.name(last)));
  });
  for (Member& each : parent->members) {
    if (each.name.empty()) each.name = name;
  }
  return true;
}

bool EditedJson::wrap(const JsonPointer& place, Value& value) {
  const auto depth = depth_of(value);
  if (!depth || !fits(place, *depth + 1) || !grow(2)) return false;
  Value array;
  array.kind = Value::Kind::Array;
  array.members.push_back({{}, std::move(value)});
  value = std::move(array);
  return true;
}

std::optional<EditedJson::Value> EditedJson::value_of(std::string_view json) {
  if (!grow(json.size())) return std::nullopt;
  return text_value(json);
}

std::optional<EditedJson::Value> EditedJson::copy_of(const Value& value) {
  Value made;
  return copy(value, made) ? std::optional(std::move(made)) : std::nullopt;
}

bool EditedJson::copy(const Value& from, Value& to) {
  if (!spend(1 + from.members.size()) || !grow(2 + from.text.size())) return false;
  to.kind = from.kind;
  to.depth = from.depth;
  to.text = from.text;
  to.members.reserve(from.members.size());
  for (const Member& member : from.members) {
    if (!grow(member.name.size() + 2)) return false;
    to.members.push_back({member.name, {}});
    if (!copy(member.value, to.members.back().value)) return false;
  }
  return true;
}

std::string EditedJson::text() const {
  std::string text;
  append(text, root_);
  return text;
}

void EditedJson::append(std::string& to, const Value& value) {
  if (value.kind == Value::Kind::Text) return append_minified(to, value.text);
  const bool is_object = value.kind == Value::Kind::Object;
  to += is_object ? '{' : '[';
  bool first = true;
  for (const Member& member : value.members) {
    if (!first) to += ',';
    first = false;
    if (is_object) (to += member.name) += ':';
    append(to, member.value);
  }
  to += is_object ? '}' : ']';
}

}  // namespace stele::api
