#pragma once
// Redactions asked for and waited for.

#include <doctest/doctest.h>

#include <string>

#include "tests/api/room_fixture.h"
#include "tests/api/support.h"

namespace stele::api::test {

/// `more`: further members.
inline std::string redact_body(const std::string& more = "") { return R"({"reason":"a court says so")" + more + "}"; }

/// Appends one event; gives its id.
inline std::string append_one(TestService& service, const std::string& aggregate, const std::string& data,
                              const std::string& members = R"("aggregateType":"Mission")") {
  const Answer answer = service.post(event(aggregate, data, members));
  REQUIRE_MESSAGE(answer.status == 201, answer.body);
  return answer.text("/eventId");
}

/// Of an event or an aggregate.
inline Answer ask_redaction(TestService& service, const std::string& path, const std::string& more = "") {
  return service.send(Method::Post, path + "/redact", redact_body(more), {{"Content-Type", "application/json"}});
}

/// Waits until what was asked for is complete; gives its status then.
inline Answer await_redaction(TestService& service, const Answer& asked) {
  REQUIRE_MESSAGE(asked.status == 202, asked.body);
  const std::string location = asked.header("Location");
  CHECK(location == "/v1/audit/redactions/" + asked.text("/redactionId"));
  wait_until([&] { return service.get(location).text("/state") == "completed"; });
  return service.get(location);
}

/// Both.
inline Answer redact_and_wait(TestService& service, const std::string& path, const std::string& more = "") {
  return await_redaction(service, ask_redaction(service, path, more));
}

}  // namespace stele::api::test
