#pragma once
// A service with keys: one for each role, and one that is limited to types of aggregates.

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "tests/api/access_support.h"
#include "tests/api/support.h"

namespace stele::api::test {

using Headers = TestService::Headers;

inline Headers bearer(const std::string& token) { return {{"Authorization", "Bearer " + token}}; }

inline ServiceOptions authenticated_by(std::shared_ptr<Authenticator> authenticator) {
  ServiceOptions options;
  options.authenticator = std::move(authenticator);
  return options;
}

/// A service with a key for each role, and one limited to the type A.
struct AccessFixture {
  SetClock clock;
  TestKeys keys;
  std::map<Role, std::string> of;
  std::string limited;
  TestService service;

  AccessFixture() : service(authenticated_by(make())) {}

  Answer get(const std::string& target, const std::string& token, Headers headers = {}) {
    headers.merge(bearer(token));
    return service.get(target, headers);
  }
  Answer post(const std::string& body, const std::string& token, Headers headers = {}) {
    headers.merge(bearer(token));
    return service.post(body, headers);
  }
  /// An event that is stored; its id.
  std::string stored(const std::string& aggregate, const std::string& type, const std::string& members = "") {
    const std::string typed = type.empty() ? "" : R"("aggregateType":")" + type + '"';
    const std::string all = typed + (typed.empty() || members.empty() ? "" : ",") + members;
    const Answer answer = post(event(aggregate, R"("secret of )" + aggregate + '"', all), of[Role::Admin]);
    REQUIRE(answer.status == 201);
    return answer.text("/eventId");
  }

 private:
  std::shared_ptr<Authenticator> make() {
    for (const Role role : roles()) of[role] = keys.add(role, std::string(name_of(role)));
    limited = keys.add(Role::Writer, "limited", {"A", "A2"});
    AuthenticatorOptions options;
    options.clock = &clock;
    return keys.open(std::move(options));
  }
};

inline std::string typed_event(const std::string& aggregate, const std::string& type, const std::string& members = "") {
  return event(aggregate, "1", R"("aggregateType":")" + type + '"' + (members.empty() ? "" : "," + members));
}

/// The aggregate ids of a list of events or aggregates, page or lines.
inline std::string ids_of(const Answer& answer) {
  std::string found;
  const std::string mark = "\"aggregateId\":\"";
  for (std::size_t at = answer.body.find(mark); at != std::string::npos; at = answer.body.find(mark, at + 1)) {
    const std::size_t from = at + mark.size();
    found += (found.empty() ? "" : ",") + answer.body.substr(from, answer.body.find('"', from) - from);
  }
  return found;
}

}  // namespace stele::api::test
