#pragma once
// The tags of an event as they stand in its hashed header: format-spec.md ("Hashed header"), extension 3. No I/O.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace stele {

inline constexpr std::size_t kTagsMax = 16;       ///< of an event
inline constexpr std::size_t kTagBytesMax = 128;  ///< of a tag, at least 1

/// Distinct tags in byte order, borrowed from an extension area.
class TagList {
 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    using pointer = const std::string_view*;
    using reference = std::string_view;

    Iterator() = default;
    explicit Iterator(const char* at) : at_(at) {}
    std::string_view operator*() const { return {at_ + 1, length()}; }
    Iterator& operator++() {
      at_ += 1 + length();
      return *this;
    }
    Iterator operator++(int) {
      const Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator&) const = default;

   private:
    [[nodiscard]] std::size_t length() const { return static_cast<std::uint8_t>(*at_); }
    const char* at_ = nullptr;
  };

  TagList() = default;
  /// None unless `value` holds 1 to kTagsMax tags of 1 to kTagBytesMax bytes, each greater than the one before.
  [[nodiscard]] static std::optional<TagList> decode(std::string_view value);

  [[nodiscard]] Iterator begin() const { return Iterator(bytes_.data()); }
  [[nodiscard]] Iterator end() const { return Iterator(bytes_.data() + bytes_.size()); }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] bool contains(std::string_view tag) const;
  bool operator==(const TagList&) const = default;

 private:
  explicit TagList(std::string_view bytes) : bytes_(bytes) {}
  std::string_view bytes_;
};

/// The value of the extension that holds `tags`, which must be as TagList has them and not none.
[[nodiscard]] std::string encode_tags(std::span<const std::string> tags);

}  // namespace stele
