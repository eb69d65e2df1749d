#pragma once
// Who may do what: the roles, and what each of them grants. Which endpoint needs what stands in its line of
// the table (endpoint.h).

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace stele::api {

enum class Role : std::uint8_t { Reader, Writer, Service, Auditor, Admin };

enum class Permission : std::uint8_t {
  Open,          ///< anyone, without credentials too
  Read,          ///< events, aggregates, the head of the log
  Append,        ///< events
  ActForOthers,  ///< name another userId than one's own
  TryHandlers,   ///< replay through a script that is not registered
  Subscribe,     ///< make subscriptions, and do with one's own what can be done
  Audit,         ///< the store's own records, metrics
  Administer,
};

[[nodiscard]] std::span<const Role> roles();
[[nodiscard]] std::string_view name_of(Role role);
[[nodiscard]] std::optional<Role> role_of(std::string_view name);
[[nodiscard]] bool grants(Role role, Permission permission);

}  // namespace stele::api
