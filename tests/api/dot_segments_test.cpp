// Nothing may be called so that no path of a client can name it.

#include <doctest/doctest.h>

#include <string>

#include "tests/api/support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

TEST_CASE("DotSegments.NothingIsNamedByOne") {
  TestService service;
  struct Put {
    const char *path, *body, *media_type;
  };
  const Put puts[] = {
      {"/v1/audit/holds/", R"({"aggregateIds":["a"],"reason":"r"})", "application/json"},
      {"/v1/handlers/", "({})", "application/javascript"},
      {"/v1/handlers/T/", "({})", "application/javascript"},
      {"/v1/snapshot-policies/", R"({"everyEvents":10})", "application/json"},
  };
  for (const char* const name : {"%2e", ".%2E", "..%2f"}) {
    CAPTURE(name);
    const bool is_one = std::string(name) != "..%2f";
    for (const Put& put : puts) {
      CAPTURE(put.path);
      const Answer answer =
          service.send(Method::Put, put.path + std::string(name), put.body, {{"Content-Type", put.media_type}});
      if (is_one) CHECK_MESSAGE(answer.text("/type") == "/problems/invalid-path", answer.body);
    }
    for (const char* const verb : {"/v1/schemas/%s", "/v1/event-types/%s/alias"}) {
      std::string path = verb;
      path.replace(path.find("%s"), 2, name);
      CAPTURE(path);
      const bool is_alias = path.ends_with("alias");
      const Answer answer =
          service.send(is_alias ? Method::Put : Method::Post, path, is_alias ? R"({"to":"New"})" : R"({"schema":true})",
                       {{"Content-Type", "application/json"}});
      CHECK((answer.text("/type") == "/problems/invalid-path") == is_one);
    }
  }
}
