#include "net/webhook/webhook_deadlines.h"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <utility>

namespace stele::tests {

using net::WebhookDeadlines;

namespace {

struct LateOne final : WebhookDeadlines::Party {
  LateOne(WebhookDeadlines& of, std::string& told, char name) : deadlines(of), told_(told), name_(name) {}
  ~LateOne() override { deadlines.clear(*this); }
  LateOne(const LateOne&) = delete;
  void too_late() override {
    told_ += name_;
    if (then) std::exchange(then, {})();
  }
  WebhookDeadlines& deadlines;
  std::function<void()> then{};

 private:
  std::string& told_;
  const char name_;
};

}  // namespace

TEST_CASE("WebhookDeadlines.WhoseTimeIsOverIsToldInItsOrder") {
  boost::asio::io_context context;
  WebhookDeadlines deadlines(context);
  std::string told;
  LateOne a(deadlines, told, 'a'), b(deadlines, told, 'b'), c(deadlines, told, 'c'), d(deadlines, told, 'd');
  const auto now = WebhookDeadlines::Clock::now();
  deadlines.set(a, now - std::chrono::hours(1));
  deadlines.set(b, now - std::chrono::hours(2));
  deadlines.set(c, now - std::chrono::hours(3));
  deadlines.set(d, now + std::chrono::hours(1));
  deadlines.set(a, now - std::chrono::hours(3));  // behind whoever has the same
  deadlines.clear(b);
  deadlines.clear(b);
  CHECK(told.empty());
  deadlines.look();
  CHECK(told == "ca");
  deadlines.look();
  CHECK(told == "ca");
}

TEST_CASE("WebhookDeadlines.TheTimerIsForWhoeverComesFirst") {
  boost::asio::io_context context;
  WebhookDeadlines deadlines(context);
  std::string told;
  LateOne a(deadlines, told, 'a'), b(deadlines, told, 'b'), c(deadlines, told, 'c');
  const auto now = WebhookDeadlines::Clock::now();
  deadlines.set(a, now + std::chrono::milliseconds(30));
  deadlines.set(b, now + std::chrono::milliseconds(20));
  deadlines.set(c, now + std::chrono::milliseconds(10));
  deadlines.clear(c);
  // Whoever is told may have another one, or take away that of others.
  b.then = [&] {
    deadlines.set(b, WebhookDeadlines::Clock::now() + std::chrono::milliseconds(1));
    deadlines.set(c, WebhookDeadlines::Clock::now() + std::chrono::hours(1));
    b.then = [&] { deadlines.clear(c); };
  };
  context.run();  // as long as anybody's time runs
  CHECK(told.size() == 3);
  CHECK(told.front() == 'b');
  CHECK(told.find('c') == std::string::npos);
}

}  // namespace stele::tests
