#include "net/webhook/name_questions.h"

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace stele::tests {

using net::NameBounds;
using net::NameQuestions;
using std::chrono::seconds;

namespace {

/// Some names and who was told, at a time that the test sets.
struct Asked {
  explicit Asked(const NameBounds& bounds = {}) : questions(bounds) {}

  bool add(const std::string& owner, const std::string& host, seconds for_time = seconds(5)) {
    NameQuestions::Done done = [this, who = owner + ":" + host](const net::ResolvedName&) { told.push_back(who); };
    return questions.add({host, owner, now + for_time}, now, done);
  }
  void add_many(const std::string& owner, int names) {
    for (int i = 0; i < names; ++i) REQUIRE(add(owner, owner + std::to_string(i)));
  }
  std::optional<std::string> next() { return questions.next(now); }
  /// Everything whose turn it is.
  std::vector<std::string> all() {
    std::vector<std::string> hosts;
    while (const auto host = next()) hosts.push_back(*host);
    return hosts;
  }
  void answer(const std::string& host) {
    for (const auto& waiter : questions.answered(host)) waiter.done({});
  }

  NameQuestions questions;
  NameQuestions::Clock::time_point now{};
  std::vector<std::string> told;
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("NameQuestions.AnOwnerHasAShareAndTheOthersWhatIsLeft") {
  Asked asked;
  asked.add_many("a", 100);
  CHECK(asked.all().size() == 8);
  asked.add_many("b", 100);
  CHECK(asked.all().size() == 2);
  // However many there are, there is room for a next one, until nothing is left.
  asked.add_many("c", 100);
  CHECK(asked.all().size() == 2);
  for (const std::string owner : {"d", "e", "f", "g"}) {
    asked.add_many(owner, 100);
    CHECK(asked.all() == Texts{owner + "0"});
  }
  CHECK(asked.questions.asked() == 16);
  asked.add_many("h", 1);
  CHECK(asked.all().empty());
  // Whose question ends makes room.
  asked.answer("a0");
  CHECK(asked.all() == Texts{"h0"});
}

TEST_CASE("NameQuestions.OwnersHaveTurns") {
  Asked asked({.asked_max = 64, .owner_parts = 2, .waiting_max = 1'000});
  asked.add_many("a", 3);
  asked.add_many("b", 2);
  asked.add_many("c", 1);
  CHECK(asked.all() == Texts{"a0", "b0", "c0", "a1", "b1", "a2"});
}

TEST_CASE("NameQuestions.ThoseWhoAskForTheSameNameShareTheQuestion") {
  Asked asked;
  REQUIRE(asked.add("a", "x"));
  REQUIRE(asked.add("a", "x"));
  REQUIRE(asked.add("b", "x"));
  CHECK(asked.all() == Texts{"x"});
  REQUIRE(asked.add("b", "x"));
  CHECK(asked.all().empty());
  CHECK(asked.questions.waiting() == 4);
  asked.answer("x");
  CHECK(asked.told == Texts{"a:x", "a:x", "b:x", "b:x"});
  CHECK(asked.questions.waiting() == 0);
  CHECK(asked.questions.asked() == 0);
  // From then on it is another question.
  REQUIRE(asked.add("b", "x"));
  CHECK(asked.all() == Texts{"x"});
}

TEST_CASE("NameQuestions.ANameIsNotBehindTheShareOfSomebodyElseWhoAskedFirst") {
  Asked asked;
  asked.add_many("a", 8);
  REQUIRE(asked.all().size() == 8);
  REQUIRE(asked.add("a", "x"));
  CHECK(asked.all().empty());
  REQUIRE(asked.add("b", "x"));
  CHECK(asked.all() == Texts{"x"});
  asked.answer("x");
  CHECK(asked.told == Texts{"a:x", "b:x"});
  asked.answer("a0");
  CHECK(asked.all().empty());
}

TEST_CASE("NameQuestions.ThoseForWhomNobodyWaitsAnyMoreAreNotAskedFor") {
  Asked asked;
  asked.add_many("a", 20);
  REQUIRE(asked.all().size() == 8);
  asked.now += seconds(3);
  REQUIRE(asked.add("a", "a10"));
  asked.now += seconds(2);
  asked.answer("a0");
  CHECK(asked.all() == Texts{"a10"});
  CHECK(asked.told == Texts{"a:a0"});  // late as it is, it is told
  asked.answer("a10");
  CHECK(asked.told == Texts{"a:a0", "a:a10"});
  CHECK(asked.all().empty());
  CHECK(asked.questions.waiting() == 7);
}

TEST_CASE("NameQuestions.OnlySoManyMayWaitAndThoseWhoHaveGoneMakeRoom") {
  Asked asked({.asked_max = 2, .owner_parts = 1, .waiting_max = 4});
  asked.add_many("a", 4);
  CHECK_FALSE(asked.add("b", "x"));
  CHECK(asked.all() == Texts{"a0", "a1"});
  CHECK_FALSE(asked.add("b", "x"));
  asked.now += seconds(5);
  REQUIRE(asked.add("b", "x"));
  CHECK(asked.questions.waiting() == 1);
  CHECK(asked.all().empty());
  // Of those who have gone, what is asked goes on taking its share, for nothing ends it.
  asked.answer("a0");
  CHECK(asked.told.empty());
  CHECK(asked.all() == Texts{"x"});
  asked.answer("x");
  asked.answer("a1");
  CHECK(asked.told == Texts{"b:x"});
  CHECK(asked.questions.asked() == 0);
}

}  // namespace stele::tests
