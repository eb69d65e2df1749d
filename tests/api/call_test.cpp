// What becomes of a request whose handling throws.

#include "api/endpoint/call.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <new>
#include <optional>
#include <stdexcept>
#include <system_error>

#include "tests/api/support.h"

namespace stele::api::test {
namespace {

struct Sent {
  TestScheduler scheduler;
  TestRequest request{Method::Post, "/v1/events", {}, {}, scheduler};
  ServiceOptions options;
  std::optional<Response> answer;
  int answers = 0;
  Call call{request,
            [this](Response response) {
              ++answers;
              answer = std::move(response);
            },
            options};
};

bool names(const Response& response, std::string_view slug) {
  return response.problem != nullptr && response.problem->slug == slug;
}

}  // namespace

TEST_CASE("Call.WithoutMemoryARequestIsAnswered503") {
  Sent sent;
  answer_exceptions(sent.call, [] { throw std::bad_alloc(); });
  REQUIRE(sent.answer);
  CHECK(sent.answer->status == 503);
  CHECK(names(*sent.answer, "busy"));
  CHECK(sent.answer->headers.front() == std::pair<std::string_view, std::string>{"Retry-After", "1"});
  CHECK(sent.answer->internal_error.empty());
}

TEST_CASE("Call.WithoutMemoryForTheAnswerOfAnAppendItsOutcomeIsUnknown") {
  Sent sent;
  sent.call.has_acted();
  answer_exceptions(sent.call, [] { throw std::bad_alloc(); });
  REQUIRE(sent.answer);
  CHECK(names(*sent.answer, "outcome-unknown"));
}

TEST_CASE("Call.WithoutAThreadARequestIsAnswered503") {
  for (const std::errc why : {std::errc::resource_unavailable_try_again, std::errc::not_enough_memory}) {
    Sent sent;
    answer_exceptions(sent.call, [&] { throw std::system_error(std::make_error_code(why)); });
    REQUIRE(sent.answer);
    CHECK(sent.answer->status == 503);
    CHECK(names(*sent.answer, "busy"));
    CHECK(sent.answer->headers.front() == std::pair<std::string_view, std::string>{"Retry-After", "1"});
    CHECK(sent.answer->internal_error.empty());
  }
  // As std::thread throws it.
  Sent sent;
  sent.call.has_acted();
  answer_exceptions(sent.call, [] { throw std::system_error(EAGAIN, std::generic_category()); });
  REQUIRE(sent.answer);
  CHECK(names(*sent.answer, "outcome-unknown"));
}

TEST_CASE("Call.AnotherErrorOfTheSystemIsAFaultOfTheServer") {
  Sent sent;
  answer_exceptions(sent.call, [] { throw std::system_error(std::make_error_code(std::errc::bad_file_descriptor)); });
  REQUIRE(sent.answer);
  CHECK(sent.answer->status == 500);
  CHECK(!sent.answer->internal_error.empty());
}

TEST_CASE("Call.AFaultOfTheServerIs500AndToldToItsLogOnly") {
  Sent sent;
  answer_exceptions(sent.call, [] { throw std::logic_error("the secret reason"); });
  REQUIRE(sent.answer);
  CHECK(sent.answer->status == 500);
  CHECK(names(*sent.answer, "internal-error"));
  CHECK(sent.answer->internal_error == "the secret reason");
  CHECK(sent.answer->body.find("secret") == std::string::npos);
}

TEST_CASE("Call.WhatWasAnsweredStaysSo") {
  Sent sent;
  answer_exceptions(sent.call, [&] {
    sent.call.send(Response{});
    throw std::bad_alloc();
  });
  CHECK(sent.answers == 1);
  CHECK(sent.answer->status == 200);
}

}  // namespace stele::api::test
