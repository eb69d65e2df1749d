#pragma once
// How long the bodies of actions are kept, as administrators have said. Events in the aggregate `$retention`
// (`$RetentionSet`), each of which says all of it.

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/access/principal.h"
#include "api/endpoint/retention_times.h"
#include "api/http/problem.h"
#include "engine/base/clock.h"
#include "engine/redaction/redaction_gate.h"
#include "engine/store/store.h"

namespace stele::api {

inline constexpr std::size_t kRetentionBodyBytesMax = 4U << 10;

/// Members are names of classes; a class that is not there is kept for ever. 422 for a time below that of `minimum`.
[[nodiscard]] std::variant<RetentionTimes, Problem> parse_retention_request(std::string_view body,
                                                                            const RetentionTimes& minimum);
[[nodiscard]] std::string to_json(const RetentionTimes& times);

/// Thread-safe; changes come one at a time, and may block.
class RetentionPolicy {
 public:
  struct Setting {
    RetentionTimes times;              ///< for ever, unless something was set
    std::optional<Position> position;  ///< of the event that has set it
    Timestamp set;
    std::string set_by;  ///< empty: authentication was off
  };

  /// Reads what was set. Throws if it cannot be read. What it is made of must outlive it.
  RetentionPolicy(Store& store, RedactionGate& gate, const Clock& clock, RetentionTimes minimum);
  RetentionPolicy(const RetentionPolicy&) = delete;

  [[nodiscard]] const RetentionTimes& minimum() const { return minimum_; }
  [[nodiscard]] Setting setting() const;
  /// What counts: of each class the longer one of policy and minimum.
  [[nodiscard]] RetentionTimes effective() const { return setting().times.longer(minimum_); }
  /// What counts against a request: what nobody has set a time for is kept until somebody asks, or for the minimum.
  [[nodiscard]] RetentionTimes against_request() const { return setting().position ? effective() : minimum_; }
  /// Of all classes. On return it is durable, and nothing is removed any more by the one before.
  [[nodiscard]] std::variant<Setting, Problem> set(const RetentionTimes& times, const Caller& caller,
                                                   const std::string& correlation);

 private:
  void load();

  Store& store_;
  RedactionGate& gate_;
  const Clock& clock_;
  const RetentionTimes minimum_;
  std::mutex changing_;
  mutable std::mutex mutex_;
  Setting setting_;
};

}  // namespace stele::api
