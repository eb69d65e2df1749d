#include "api/access/role.h"

#include <array>

namespace stele::api {

namespace {

constexpr std::array kRoles{Role::Reader, Role::Writer, Role::Service, Role::Auditor, Role::Admin};

}  // namespace

std::span<const Role> roles() { return kRoles; }

std::string_view name_of(Role role) {
  switch (role) {
    case Role::Reader:
      return "reader";
    case Role::Writer:
      return "writer";
    case Role::Service:
      return "service";
    case Role::Auditor:
      return "auditor";
    case Role::Admin:
      return "admin";
  }
  return {};
}

std::optional<Role> role_of(std::string_view name) {
  for (const Role role : kRoles) {
    if (name_of(role) == name) return role;
  }
  return std::nullopt;
}

bool grants(Role role, Permission permission) {
  switch (permission) {
    case Permission::Open:
    case Permission::Read:
      return true;
    case Permission::Append:
      return role == Role::Writer || role == Role::Service || role == Role::Admin;
    case Permission::ActForOthers:
    case Permission::TryHandlers:
    case Permission::Subscribe:
      return role == Role::Service || role == Role::Admin;
    case Permission::Audit:
      return role == Role::Auditor || role == Role::Admin;
    case Permission::Administer:
      return role == Role::Admin;
  }
  return false;
}

}  // namespace stele::api
