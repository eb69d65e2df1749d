#include "net/webhook/name_resolver.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace stele::tests {

using net::NameQuestion;
using net::ResolvedName;
using net::SystemResolver;

namespace {

std::future<ResolvedName> ask_for(SystemResolver& resolver, const std::string& host, const std::string& owner = {}) {
  auto answer = std::make_shared<std::promise<ResolvedName>>();
  std::future<ResolvedName> future = answer->get_future();
  const auto deadline = SystemResolver::Clock::now() + std::chrono::hours(1);
  resolver.resolve({host, owner, deadline}, [answer](ResolvedName name) { answer->set_value(std::move(name)); });
  return future;
}

}  // namespace

TEST_CASE("SystemResolver.FindsThisMachineAndSharesQuestions") {
  SystemResolver resolver;
  const ResolvedName found = ask_for(resolver, "localhost").get();
  REQUIRE(found.addresses.size() == 2);
  CHECK(found.addresses[1].to_string() == "127.0.0.1");
  std::vector<std::future<ResolvedName>> answers;
  // .invalid names do not exist (RFC 6761), with or without a name server.
  for (int i = 0; i < 40; ++i) {
    answers.push_back(ask_for(resolver, "name-" + std::to_string(i % 20) + ".invalid"));
  }
  for (auto& answer : answers) {
    const ResolvedName result = answer.get();
    CHECK(result.addresses.empty());
    CHECK(result.failure != "");
  }
}

TEST_CASE("SystemResolver.NamesThatTakeLongTakeNoMoreThanTheShareOfTheirOwner") {
  std::promise<void> over;
  const std::shared_future<void> end = over.get_future().share();
  std::atomic<int> now_asked{0}, most{0}, asked{0};
  std::vector<std::future<ResolvedName>> slow;
  {
    SystemResolver resolver([&, end](const std::string& host) {
      const int with_this = ++now_asked;
      for (int seen = most; seen < with_this && !most.compare_exchange_weak(seen, with_this);) {
      }
      if (host.starts_with("slow")) end.wait();
      --now_asked;
      ++asked;
      return ResolvedName{{}, "answer for " + host};
    });
    for (int i = 0; i < 100; ++i) slow.push_back(ask_for(resolver, "slow-" + std::to_string(i), "stranger"));
    for (int i = 0; i < 30; ++i) {
      const std::string host = "fast-" + std::to_string(i);
      CHECK(ask_for(resolver, host, "other").get().failure == "answer for " + host);
    }
    CHECK(asked == 30);
    over.set_value();
    for (auto& answer : slow) CHECK(answer.get().failure.starts_with("answer for slow-"));
  }
  CHECK(asked == 130);
  CHECK(most <= 16);
}

TEST_CASE("SystemResolver.EndsWithoutWaitingForWhatTakesLong") {
  std::promise<void> over, begun;
  auto released = std::make_shared<std::promise<void>>();
  const std::shared_future<void> end = over.get_future().share();
  std::future<void> done = released->get_future();
  bool told = false;
  {
    SystemResolver resolver([end, released, &begun](const std::string&) {
      begun.set_value();
      end.wait();
      released->set_value();
      return ResolvedName{};
    });
    resolver.resolve({"slow", "", SystemResolver::Clock::now() + std::chrono::hours(1)},
                     [&told](const ResolvedName&) { told = true; });
    begun.get_future().wait();
  }
  over.set_value();
  done.wait();
  CHECK_FALSE(told);
}

}  // namespace stele::tests
