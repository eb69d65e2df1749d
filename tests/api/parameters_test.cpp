#include "api/http/parameters.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "api/json/timestamp.h"

using namespace stele;
using namespace stele::api;

TEST_CASE("Parameters.GoodValuesAreRead") {
  Parameters parameters("a=x%20y&n=17&t=2026-03-01T12:00:00+02:00&f=true&r=1&r=2&&empty",
                        {"a", "n", "t", "f", "r", "empty", "absent"});
  CHECK(parameters.text("a") == "x y");
  CHECK(parameters.integer("n", 0, 100) == 17);
  CHECK(format_timestamp(parameters.timestamp("t").value()) == "2026-03-01T10:00:00.000000Z");
  CHECK(parameters.flag("f") == true);
  CHECK(parameters.texts("r") == std::vector<std::string>{"1", "2"});
  CHECK(parameters.has("empty"));
  CHECK(!parameters.text("absent"));
  CHECK(!parameters.problem());
  CHECK(parameters.encoded({"t", "r", "empty"}) == "a=x%20y&n=17&f=true");
}

TEST_CASE("Parameters.FaultsNameTheParameter") {
  const auto error = [](std::string_view query) {
    Parameters parameters(query, {"a", "n", "t", "f"});
    (void)parameters.text("a");
    (void)parameters.integer("n", 1, 1000);
    (void)parameters.timestamp("t");
    (void)parameters.flag("f");
    const auto problem = parameters.problem();
    if (!problem) return std::string("none");
    return std::string(problem->kind().slug) + " " + problem->field_errors().front().where;
  };
  CHECK(error("") == "none");
  CHECK(error("b=1") == "unknown-parameter b");
  CHECK(error("A=1") == "unknown-parameter A");
  CHECK(error("n=0&b=1") == "unknown-parameter b");
  CHECK(error("a=1&a=2") == "invalid-parameter a");
  CHECK(error("a=") == "invalid-parameter a");
  CHECK(error("a") == "invalid-parameter a");
  CHECK(error("a=" + std::string(256, 'x')) == "invalid-parameter a");
  CHECK(error("a=%zz") == "invalid-parameter a");
  CHECK(error("a=%ff") == "invalid-parameter a");
  for (const char* n : {"0", "1001", "-1", "+1", "1.0", "1e2", "x", "%20", "1%20", "99999999999999999999", "0x1"}) {
    CAPTURE(n);
    CHECK(error("n=" + std::string(n)) == "invalid-parameter n");
  }
  CHECK(error("t=yesterday") == "invalid-parameter t");
  CHECK(error("f=1") == "invalid-parameter f");
  CHECK(error("f=True") == "invalid-parameter f");
}
