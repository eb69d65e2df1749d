#pragma once
// Who was authenticated, and what that means for one request.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/access/role.h"
#include "engine/index/query.h"
#include "engine/log/record.h"

namespace stele::api {

/// An API key's name or a JWT's `sub`, with what it may do.
struct Principal {
  std::string name;
  Role role = Role::Reader;
  std::vector<std::string> aggregate_types;  ///< the only ones it may see and write, sorted; empty = no limit
  bool has_key = false;                      ///< it came with an API key, not with a JWT
};

/// A principal is written into records as userId, so its name has their rules: 1..255 bytes of UTF-8 without control
/// characters, not beginning with `$`.
[[nodiscard]] bool is_principal_name(std::string_view name);

inline constexpr std::size_t kLimitTypesMax = 100;
/// Sorts and makes distinct; false if one of them can be no aggregate type, or if there are more than kLimitTypesMax.
[[nodiscard]] bool make_type_limit(std::vector<std::string>& types);

/// Whoever sent a request. Cheap to copy.
class Caller {
 public:
  /// Authentication is off: anyone, who may do anything.
  Caller() = default;
  explicit Caller(std::shared_ptr<const Principal> principal) : principal_(std::move(principal)) {}

  /// None if authentication is off.
  [[nodiscard]] const Principal* principal() const { return principal_.get(); }
  [[nodiscard]] const std::shared_ptr<const Principal>& shared_principal() const { return principal_; }
  /// Empty if authentication is off.
  [[nodiscard]] std::string_view name() const { return principal_ ? std::string_view(principal_->name) : ""; }
  [[nodiscard]] bool may(Permission permission) const;

  [[nodiscard]] bool is_limited() const { return principal_ && !principal_->aggregate_types.empty(); }
  /// Whether the limit lets it see and write what has this aggregate type. What has none is outside every limit.
  [[nodiscard]] bool may_use_type(const std::optional<std::string_view>& type) const;
  /// The same for what is stored; the store's own records and aggregates are for auditors besides.
  [[nodiscard]] bool may_see(const RecordHeader& record) const;
  [[nodiscard]] bool may_see(const AggregateSummary& aggregate) const;
  /// Narrows a query to what the limit lets it see.
  void restrict(EventQuery& query) const;
  void restrict(AggregateQuery& query) const;

 private:
  std::shared_ptr<const Principal> principal_;
};

}  // namespace stele::api
