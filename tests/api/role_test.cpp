// Names of roles.

#include <doctest/doctest.h>

#include "tests/api/access_support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

TEST_CASE("Roles.NamesAreThereAndBack") {
  for (const Role role : roles()) CHECK(role_of(name_of(role)) == role);
  CHECK_FALSE(role_of("root"));
  CHECK_FALSE(role_of(""));
}
