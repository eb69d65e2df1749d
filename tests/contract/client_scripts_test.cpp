#include <doctest/doctest.h>

#include "tests/support/client_script.h"

using namespace stele::tests;

TEST_CASE("ClientScripts.RunOnTheNodeOfTheLockFileWithAllPackages") {
  const ProcessResult result = run_client_script("ping");
  CHECK_EQ(result.exit_code, 0);
  CHECK_MESSAGE(result.out.starts_with("v22."), result.out);
  CHECK_EQ(result.err, "");
}
