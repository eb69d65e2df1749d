#include "api/access/known_key.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "api/json/json_writer.h"

namespace stele::api {

namespace {

/// Of one object; a key may go beyond it.
constexpr std::size_t kDetailsBytesMax = 32U << 10;

/// Objects with the same lists, each with some of the items.
class DetailPieces {
 public:
  explicit DetailPieces(std::span<const std::string_view> lists) : lists_(lists), items_(lists.size()) {}

  /// `item` is a JSON value.
  void add(std::size_t list, std::string_view item) {
    if (bytes_ > 0 && bytes_ + item.size() > kDetailsBytesMax) end_piece();
    std::string& items = items_[list];
    if (!items.empty()) items += ',';
    items += item;
    bytes_ += item.size();
  }
  [[nodiscard]] bool empty() const { return pieces_.empty() && bytes_ == 0; }
  [[nodiscard]] std::vector<std::string> take() {
    if (bytes_ > 0 || pieces_.empty()) end_piece();
    return std::move(pieces_);
  }

 private:
  void end_piece() {
    std::string& text = pieces_.emplace_back("{");
    for (std::size_t i = 0; i < lists_.size(); ++i) {
      if (i > 0) text += ',';
      text.append("\"").append(lists_[i]).append("\":[").append(items_[i]).append("]");
      items_[i].clear();
    }
    text += '}';
    bytes_ = 0;
  }

  const std::span<const std::string_view> lists_;
  std::vector<std::string> items_;
  std::size_t bytes_ = 0;
  std::vector<std::string> pieces_;
};

constexpr std::string_view kKeyLists[] = {"keys"};
constexpr std::string_view kChangeLists[] = {"added", "removed", "changed"};

std::string change_of(const KnownKey& before, const KnownKey& after) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("before").raw(before.shown).key("after").raw(after.shown);
  if (before.key != after.key) json.key("anotherKey").boolean(true);
  json.end_object();
  return text;
}

}  // namespace

void sort_by_id(std::vector<KnownKey>& keys) {
  std::stable_sort(keys.begin(), keys.end(), [](const KnownKey& a, const KnownKey& b) { return a.id < b.id; });
}

std::vector<std::string> details_of_keys(const std::vector<KnownKey>& keys) {
  DetailPieces pieces(kKeyLists);
  for (const KnownKey& key : keys) pieces.add(0, key.shown);
  return pieces.take();
}

std::vector<std::string> details_of_change(const std::vector<KnownKey>& before, const std::vector<KnownKey>& after) {
  DetailPieces pieces(kChangeLists);
  auto old = before.begin();
  auto fresh = after.begin();
  while (old != before.end() || fresh != after.end()) {
    if (old == before.end() || (fresh != after.end() && fresh->id < old->id)) {
      pieces.add(0, (fresh++)->shown);
    } else if (fresh == after.end() || old->id < fresh->id) {
      pieces.add(1, (old++)->shown);
    } else {
      if (old->shown != fresh->shown || old->key != fresh->key) pieces.add(2, change_of(*old, *fresh));
      ++old;
      ++fresh;
    }
  }
  if (pieces.empty()) return {};
  return pieces.take();
}

}  // namespace stele::api
