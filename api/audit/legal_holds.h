#pragma once
// The legal holds there are. Events in `$hold/<name>` aggregates (`$HoldPlaced`, `$HoldReleased`).

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <variant>

#include "api/access/principal.h"
#include "api/audit/legal_hold.h"
#include "engine/base/clock.h"
#include "engine/redaction/redaction_gate.h"
#include "engine/store/store.h"

namespace stele::api {

/// Thread-safe; changes come one at a time, and may block.
class LegalHolds {
 public:
  static constexpr std::size_t kHoldsMax = 1'000;
  /// By name. What was handed out stays as it is.
  using Set = std::map<std::string, std::shared_ptr<const LegalHold>, std::less<>>;

  /// Reads those there are. Throws if they cannot be read. What it is made of must outlive it.
  LegalHolds(Store& store, RedactionGate& gate, const Clock& clock);
  LegalHolds(const LegalHolds&) = delete;

  struct Placed {
    std::shared_ptr<const LegalHold> hold;
    bool is_new = false;
  };
  /// In place of the one of this name, if there is one. On return it is durable, and nothing that is under it is
  /// redacted any more, by what is under way neither.
  [[nodiscard]] std::variant<Placed, Problem> place(const std::string& name, HoldScope scope, const Caller& caller,
                                                    const std::string& correlation);
  /// Durable on return. False: there is none.
  [[nodiscard]] std::variant<bool, Problem> release(const std::string& name, const Caller& caller,
                                                    const std::string& correlation);

  [[nodiscard]] std::shared_ptr<const Set> all() const;

 private:
  void load();
  void replace(std::shared_ptr<const Set> set);

  Store& store_;
  RedactionGate& gate_;
  const Clock& clock_;
  std::mutex changing_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Set> set_ = std::make_shared<const Set>();
};

}  // namespace stele::api
