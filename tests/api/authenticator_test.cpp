// What is known of callers without a request of theirs.

#include <doctest/doctest.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/api/access_support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

TEST_CASE("Authenticator.TellsWhichRolesTheKeysOfANameStillHave") {
  using Roles = std::vector<Role>;
  TestKeys keys;
  SetClock clock;
  const Timestamp soon{clock.time.micros + 10};
  const std::string first = keys.add(Role::Service, "ada");
  const std::string second = keys.add(Role::Reader, "ada", {}, soon);
  keys.add(Role::Admin, "bob", {}, clock.time);
  AuthenticatorOptions options;
  options.clock = &clock;
  const auto authenticator = keys.open(std::move(options));
  const auto roles = [&](std::string_view name) {
    Roles found = authenticator->roles_of_keys(name);
    std::sort(found.begin(), found.end());
    return found;
  };
  CHECK(roles("ada") == Roles{Role::Reader, Role::Service});
  CHECK(roles("bob").empty());  // ended
  CHECK(roles("ad").empty());
  CHECK(roles("").empty());
  keys.revoke(first);
  CHECK(roles("ada") == Roles{Role::Reader});
  clock.time = soon;
  CHECK(roles("ada").empty());
  keys.add(Role::Admin, "ada");
  CHECK(roles("ada") == Roles{Role::Admin});
}
