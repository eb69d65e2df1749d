#include "api/replay/merge_patch.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "api/json/json_string.h"
#include "api/json/json_text.h"

namespace stele::api {

/// An object, or anything else as its text.
struct MergeDocument::Value {
  std::string text;
  std::unique_ptr<Object> object;

  [[nodiscard]] std::size_t bytes() const;
  void set_text(std::string_view json, bool scalar);
};

/// The members of an object in the order in which they came. Removed ones stay as gaps until they are half of all, so
/// that removing costs no more than adding did.
struct MergeDocument::Object {
  struct Member {
    std::string name;  ///< as written, with quotes; empty = a gap
    Value value;
  };
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  static constexpr std::size_t kSearched = 16;  ///< more members than these are found by `slots`

  std::vector<std::uint64_t> hashes;  ///< of the names, side by side with the members
  std::vector<Member> members;
  std::vector<std::uint32_t> slots;  ///< a table by hash with linear probing: number of the member + 1, 0 = free
  std::size_t gaps = 0;
  std::size_t bytes = 2;

  /// `guess` is looked at first: patches of one kind name members in one order.
  [[nodiscard]] std::uint32_t find(std::uint64_t hash, std::string_view name, std::uint32_t guess) const;
  Member& add(std::uint64_t hash, std::string_view name);
  void remove(std::uint32_t number);

 private:
  [[nodiscard]] bool is(std::uint32_t number, std::uint64_t hash, std::string_view name) const {
    if (hashes[number] != hash) return false;
    const std::string& own = members[number].name;
    return own == name || (!own.empty() && same_json_string(own, name));
  }
  void enter(std::uint32_t number);
  void index();
};

std::size_t MergeDocument::Value::bytes() const { return object ? object->bytes : text.size(); }

void MergeDocument::Value::set_text(std::string_view json, bool scalar) {
  // A value that was long once must not keep its memory for ever: there may be many of them.
  constexpr std::size_t kKeptBytes = 1024;
  object.reset();
  if (text.capacity() > kKeptBytes && text.capacity() / 2 > json.size()) text = std::string();
  if (scalar) {
    text.assign(json);
  } else {
    text.clear();
    append_minified(text, json);
  }
}

std::uint32_t MergeDocument::Object::find(std::uint64_t hash, std::string_view name, std::uint32_t guess) const {
  if (guess < hashes.size() && is(guess, hash, name)) return guess;
  if (slots.empty()) {
    for (std::uint32_t number = 0; number < hashes.size(); ++number) {
      if (is(number, hash, name)) return number;
    }
    return kNone;
  }
  for (std::size_t slot = hash & (slots.size() - 1); slots[slot] != 0; slot = (slot + 1) & (slots.size() - 1)) {
    if (is(slots[slot] - 1, hash, name)) return slots[slot] - 1;
  }
  return kNone;
}

void MergeDocument::Object::enter(std::uint32_t number) {
  std::size_t slot = hashes[number] & (slots.size() - 1);
  while (slots[slot] != 0) slot = (slot + 1) & (slots.size() - 1);
  slots[slot] = number + 1;
}

void MergeDocument::Object::index() {
  slots.clear();
  if (members.size() <= kSearched) return;
  std::size_t size = 64;
  while (size < 4 * members.size()) size *= 2;
  slots.resize(size);
  for (std::uint32_t number = 0; number < members.size(); ++number) enter(number);
}

MergeDocument::Object::Member& MergeDocument::Object::add(std::uint64_t hash, std::string_view name) {
  bytes += name.size() + 1 + (members.size() > gaps ? 1 : 0);  // colon and comma
  hashes.push_back(hash);
  members.push_back({std::string(name), {}});
  if (2 * members.size() > slots.size()) {
    index();
  } else {
    enter(static_cast<std::uint32_t>(members.size() - 1));
  }
  return members.back();
}

void MergeDocument::Object::remove(std::uint32_t number) {
  Member& member = members[number];
  bytes -= member.name.size() + 1 + member.value.bytes();
  member = {};
  ++gaps;
  if (members.size() > gaps) --bytes;  // a comma
  if (gaps < kSearched || 2 * gaps < members.size()) return;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i].name.empty()) continue;
    if (kept != i) {
      members[kept] = std::move(members[i]);
      hashes[kept] = hashes[i];
    }
    ++kept;
  }
  members.resize(kept);
  hashes.resize(kept);
  gaps = 0;
  index();
}

MergeDocument::MergeDocument(std::string_view initial) : root_(std::make_unique<Value>()) { set(initial, Nulls::Keep); }

MergeDocument::~MergeDocument() = default;
MergeDocument::MergeDocument(MergeDocument&&) noexcept = default;
MergeDocument& MergeDocument::operator=(MergeDocument&&) noexcept = default;

void MergeDocument::apply(std::string_view patch) { set(patch, Nulls::Remove); }

void MergeDocument::set(std::string_view json, Nulls nulls) {
  patch_.parse(json, {.arrays = false});
  const JsonTree::Node& node = patch_.node(0);
  if (node.kind != JsonTree::Kind::Object) {
    root_->set_text(patch_.value(node), false);
    return;
  }
  if (!root_->object) {
    root_->set_text({}, true);
    root_->object = std::make_unique<Object>();
  }
  merge(*root_->object, 0, nulls);
}

// As deep as the tree at most: JsonTree::kDepthMax.
void MergeDocument::merge(Object& to, std::uint32_t from, Nulls nulls) {
  const std::uint32_t end = patch_.node(from).end;
  std::uint32_t guess = 0;
  for (std::uint32_t child = from + 1; child < end; child = patch_.node(child).end) {
    const JsonTree::Node& node = patch_.node(child);
    if (node.repeated) continue;
    const std::string_view name = patch_.name(node);
    const std::string_view json = patch_.value(node);
    const std::uint32_t found = to.find(node.name_hash, name, guess);
    if (found != Object::kNone) guess = found + 1;
    if (json == "null" && nulls == Nulls::Remove) {
      if (found != Object::kNone) to.remove(found);
      continue;
    }
    Value& value = found == Object::kNone ? to.add(node.name_hash, name).value : to.members[found].value;
    to.bytes -= value.bytes();
    if (node.kind == JsonTree::Kind::Object) {
      if (!value.object) {
        value.set_text({}, true);
        value.object = std::make_unique<Object>();
      }
      merge(*value.object, child, nulls);
    } else {
      value.set_text(json, json.empty() || (json.front() != '[' && json.front() != '{'));
    }
    to.bytes += value.bytes();
  }
}

std::size_t MergeDocument::bytes() const { return root_->bytes(); }

void MergeDocument::append_to(std::string& to) const {
  to.reserve(to.size() + bytes());
  append_value(to, *root_);
}

void MergeDocument::append_value(std::string& to, const Value& value) {
  if (!value.object) {
    to += value.text;
    return;
  }
  to += '{';
  bool first = true;
  for (const Object::Member& member : value.object->members) {
    if (member.name.empty()) continue;
    if (!first) to += ',';
    first = false;
    to += member.name;
    to += ':';
    append_value(to, member.value);
  }
  to += '}';
}

}  // namespace stele::api
