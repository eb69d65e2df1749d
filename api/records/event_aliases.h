#pragma once
// The names that event types have now, where that is not the one that their events were stored under: at hand for
// whoever selects events by type, or shows them.

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stele::api {

/// Each alias leads from a name that events are stored under to the one that they are shown with. One step: no name is
/// both. Immutable once it is handed out.
struct AliasTable {
  std::map<std::string, std::string, std::less<>> shown;                ///< by the stored name
  std::map<std::string, std::vector<std::string>, std::less<>> stored;  ///< by the shown one, sorted

  /// Null if the name is the one that is shown.
  [[nodiscard]] const std::string* shown_name(std::string_view stored_name) const;
  /// Replaces the one that there was.
  void set(const std::string& stored_name, const std::string& shown_name);
  void remove(std::string_view stored_name);
  /// Adds to names by which events are selected those that events of these types are stored under.
  void widen(std::vector<std::string>& event_types) const;
};

/// Those of now. Thread-safe; costs next to nothing while there are none.
class EventAliases {
 public:
  /// Called within change(); quick. Set before other threads know of this.
  void on_change(std::function<void()> told) { told_ = std::move(told); }
  void change(AliasTable to);

  /// Null: there are none.
  [[nodiscard]] std::shared_ptr<const AliasTable> now() const;
  /// Grows with each change, and is the new one when change() returns.
  [[nodiscard]] std::uint64_t changes() const { return changes_.load(std::memory_order_acquire); }

  /// None if it is the same.
  [[nodiscard]] std::optional<std::string> shown_name(std::string_view stored_name) const;
  void widen(std::vector<std::string>& event_types) const;

 private:
  std::function<void()> told_;
  std::atomic<std::uint64_t> changes_{0};
  mutable std::mutex mutex_;
  std::shared_ptr<const AliasTable> now_;
};

}  // namespace stele::api
