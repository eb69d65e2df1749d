#pragma once
// Names of members, looked up once for each member of each event.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stele::api {

/// Gives each name a slot, from 0 on. Filled by one thread, then read by any.
class NameTable {
 public:
  /// The slot of the name, a new one if it has none.
  std::uint32_t add(std::string_view name);
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view name) const;
  [[nodiscard]] const std::string& name(std::uint32_t slot) const { return names_[slot]; }
  [[nodiscard]] std::size_t size() const { return names_.size(); }

 private:
  [[nodiscard]] std::size_t place_of(std::string_view name) const;
  void grow();

  std::vector<std::string> names_;
  std::vector<std::uint32_t> places_;  ///< slot + 1, 0 for none; at most half full, a power of two of them
};

}  // namespace stele::api
