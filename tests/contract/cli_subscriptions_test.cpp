// The commands about subscriptions: what they ask, and what they make of the answers. The server here only says what it
// is told to; cli_deliveries_test.cpp has a real one.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/server/server.h"
#include "tests/contract/http_fixture.h"
#include "tests/support/build_paths.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

/// Gives the answers it was told, in their order, and keeps what it was asked.
class ToldServer {
 public:
  ToldServer() {
    net::ServerOptions options;
    options.io_threads = options.read_threads = 1;
    auto started =
        net::Server::start(std::move(options), [this](api::Scheduler&) { return std::make_unique<Told>(*this); });
    REQUIRE(started);
    server_ = std::move(started).value();
  }

  void tell(std::string body, int status = 200) {
    const std::lock_guard lock(mutex_);
    answers_.emplace_back(status, std::move(body));
  }
  /// Runs a command against it; all answers told must have been given.
  ProcessResult run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), stele_binary());
    return run_program(arguments);
  }
  /// The same with a script, whose $0 is `stele`.
  ProcessResult run_script(const std::string& script) { return run_program({"/bin/sh", "-c", script, stele_binary()}); }
  /// Method, target and body of each request, a line each.
  [[nodiscard]] std::string asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  ProcessResult run_program(const std::vector<std::string>& arguments) {
    {
      const std::lock_guard lock(mutex_);
      asked_.clear();
    }
    auto result = run_process(arguments, {}, {{"STELE_URL", "http://127.0.0.1:" + std::to_string(server_->port())}});
    CAPTURE(result.err);
    const std::lock_guard lock(mutex_);
    CHECK(answers_.empty());
    return result;
  }

  class Told final : public api::Handler {
   public:
    explicit Told(ToldServer& server) : server_(server) {}
    void handle(const api::Request& request, api::Reply reply) override { reply(server_.answer(request)); }
    void begin_shutdown() override {}

   private:
    ToldServer& server_;
  };

  api::Response answer(const api::Request& request) {
    const std::lock_guard lock(mutex_);
    asked_ += request.method() == api::Method::Get    ? "GET "
              : request.method() == api::Method::Post ? "POST "
                                                      : "DELETE ";
    asked_ += request.path();
    if (!request.query().empty()) asked_.append("?").append(request.query());
    if (!request.body().empty()) asked_.append(" ").append(request.body());
    asked_ += '\n';
    api::Response response;
    if (answers_.empty()) {
      response.status = 500;
    } else {
      response.status = answers_.front().first;
      response.body = std::move(answers_.front().second);
      answers_.erase(answers_.begin());
    }
    return response;
  }

  mutable std::mutex mutex_;
  std::vector<std::pair<int, std::string>> answers_;
  std::string asked_;
  std::unique_ptr<net::Server> server_;
};

constexpr std::string_view kRefusal =
    R"({"type":"/problems/subscription-not-found","status":404,"detail":"There is no such subscription."})";

std::string subscription_json(std::string_view id) {
  return R"({"subscriptionId":")" + std::string(id) +
         R"(","created":"2026-11-28T09:17:00.788517Z","eventTypes":["Sent"],"delivery":{"type":"pull"},)"
         R"("retry":{"maxAttempts":10,"initialDelayMs":1000,"maxDelayMs":3600000},"onDeadLetter":"skip",)"
         R"("state":"paused","reason":null,"since":"2026-11-28T09:17:00.788517Z","lag":{"events":3,"seconds":2},)"
         R"("watermark":{"position":4,"timestamp":"2026-11-28T09:17:00.788517Z"},"inFlight":1,"heldBack":0,)"
         R"("deadLetters":2,"lastError":null})";
}

}  // namespace

TEST_CASE("Subscribe.SendsWhatTheFlagsSay") {
  ToldServer server;
  const auto sent = [&](std::vector<std::string> flags) {
    flags.insert(flags.begin(), "subscribe");
    server.tell(R"({"subscriptionId":"sub_1"})", 201);
    const auto result = server.run(flags);
    CHECK(result.exit_code == 0);
    CHECK(result.out == "subscription  sub_1\n");
    CHECK(result.err.empty());
    const std::string asked = server.asked();
    REQUIRE(asked.starts_with("POST /v1/events/subscribe "));
    return asked.substr(26, asked.size() - 27);
  };
  CHECK(sent({"--pull"}) == R"({"delivery":{"type":"pull"}})");
  CHECK(sent({"--webhook", "http://127.0.0.1:1/", "--type", "A", "--type", "B", "--from", "now", "--batch", "9",
              "--max-per-second", "7", "--max-in-flight", "2", "--timeout", "1500ms"}) ==
        R"({"eventTypes":["A","B"],"from":"now","delivery":{"type":"webhook","url":"http://127.0.0.1:1/",)"
        R"("batchSize":9,"maxPerSecond":7,"maxInFlight":2,"timeoutMs":1500}})");
  CHECK(sent({"--redis-stream", "k", "--aggregate-type", "T", "--aggregate", "a/1", "--tag", "x:1", "--tag", "y\"",
              "--from", "12"}) == R"({"aggregateTypes":["T"],"aggregateIds":["a/1"],"tags":["x:1","y\""],"from":12,)"
                                  R"("delivery":{"type":"redis-stream","key":"k"}})");
  CHECK(sent({"--redis-channel", "c", "--from", "2026-01-01T00:00:00Z", "--replay-until", "5", "--replaces",
              "sub_0"}) == R"({"from":"2026-01-01T00:00:00Z","replayUntil":5,"replaces":"sub_0",)"
                           R"("delivery":{"type":"redis-pubsub","channel":"c"}})");
  CHECK(sent({"--pull", "--attempts", "3", "--initial-delay", "250us", "--max-delay", "2min", "--on-dead-letter",
              "park"}) ==
        R"({"delivery":{"type":"pull"},"retry":{"maxAttempts":3,"initialDelayMs":1,"maxDelayMs":120000},)"
        R"("onDeadLetter":"park"})");
  CHECK(sent({"--pull", "--schema-version", "2"}) == R"({"schemaVersion":2,"delivery":{"type":"pull"}})");
  CHECK(sent({"--pull", "--schema-version", "stored"}) == R"({"schemaVersion":"stored","delivery":{"type":"pull"}})");
  const test::TempFolder folder;
  std::ofstream(folder.file("definition")) << R"({"callbackUrl":"x"})";
  CHECK(sent({"--definition", folder.file("definition")}) == R"({"callbackUrl":"x"})");
}

TEST_CASE("Subscribe.TheSecretIsShownOnceOrKeptInAFile") {
  ToldServer server;
  const test::TempFolder folder;
  const std::string file = folder.file("secret");
  const std::string answer = R"({"subscriptionId":"sub_1","secret":"whsec_AAAA"})";
  server.tell(answer, 201);
  const auto shown = server.run({"subscribe", "--webhook", "http://x/"});
  CHECK(shown.out == "subscription  sub_1\nsecret        whsec_AAAA\n");
  CHECK(contains(shown.err, "cannot be shown again"));
  server.tell(answer, 201);
  CHECK(server.run({"subscribe", "--webhook", "http://x/", "--json"}).out == answer + "\n");

  server.tell(answer, 201);
  const auto kept = server.run({"subscribe", "--webhook", "http://x/", "--secret-file", file});
  CHECK(kept.exit_code == 0);
  CHECK(read_file(file) == "whsec_AAAA\n");
  CHECK_FALSE(contains(kept.out + kept.err, "whsec_"));
  struct ::stat about {};
  REQUIRE(::stat(file.c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);

  // Who cannot be shown it is told what to do.
  server.tell(answer, 201);
  const auto lost = server.run_script("exec \"$0\" subscribe --webhook http://x/ >/dev/full");
  CHECK(lost.exit_code == 1);
  CHECK(contains(lost.err, "the secret of sub_1 is lost: 'stele subscriptions rotate-secret sub_1' makes another"));
  CHECK_FALSE(contains(lost.err, "whsec_"));

  // Nothing is asked if there is no place for the secret, and nothing is left if there is none.
  CHECK(server.run({"subscribe", "--webhook", "http://x/", "--secret-file", file}).exit_code == 2);
  CHECK(server.asked().empty());
  CHECK(read_file(file) == "whsec_AAAA\n");
  server.tell(R"({"type":"/problems/callback-refused","status":422,"detail":"No."})", 422);
  const auto refused = server.run({"subscribe", "--webhook", "http://x/", "--secret-file", folder.file("none")});
  CHECK(refused.exit_code == 1);
  CHECK(contains(refused.err, "refused: 422 callback-refused: No."));
  CHECK(::stat(folder.file("none").c_str(), &about) != 0);
}

TEST_CASE("Subscribe.SaysWhatIsWrongWithTheUsage") {
  const auto complaint = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "subscribe");
    const auto result = run_stele(arguments, {}, {{"STELE_URL", "http://127.0.0.1:1"}});
    CHECK(result.exit_code == 2);
    return result.err;
  };
  CHECK(contains(complaint({"--type", "A"}), "say where events go to"));
  CHECK(contains(complaint({"--pull", "--webhook", "http://x/"}), "say where events go to"));
  CHECK(contains(complaint({"--definition", "/dev/null", "--pull"}), "--definition is the whole request"));
  CHECK(contains(complaint({"--definition", "/dev/null", "--type", "A"}), "--definition is the whole request"));
  CHECK(
      contains(complaint({"--definition", "/dev/null", "--schema-version", "1"}), "--definition is the whole request"));
  CHECK(contains(complaint({"--definition", "/none/such"}), "/none/such"));
  CHECK(contains(complaint({"--pull", "--json", "--secret-file", "/none/such"}), "exclude each other"));
  CHECK(contains(complaint({"--pull", "--on-dead-letter", "cry"}), "--on-dead-letter"));
}

TEST_CASE("Subscriptions.ListsAllPages") {
  ToldServer server;
  const auto tell = [&] {
    server.tell(R"({"subscriptions":[)" + subscription_json("sub_1") + "," + subscription_json("sub_2") +
                R"(],"nextCursor":"a&b"})");
    server.tell(R"({"subscriptions":[)" + subscription_json("sub_3") + R"(],"nextCursor":null})");
  };
  tell();
  const auto table = server.run({"subscriptions"});
  CHECK(table.exit_code == 0);
  CHECK(server.asked() == "GET /v1/subscriptions\nGET /v1/subscriptions?cursor=a%26b\n");
  CHECK(table.out ==
        "SUBSCRIPTION  STATE   EVENTS  TO    LAG    IN FLIGHT  HELD  DEAD  LAST ERROR\n"
        "sub_1         paused  Sent    pull  3, 2s  1          0     2     \n"
        "sub_2         paused  Sent    pull  3, 2s  1          0     2     \n"
        "sub_3         paused  Sent    pull  3, 2s  1          0     2     \n");
  tell();
  CHECK(server.run({"subscriptions", "--json"}).out ==
        subscription_json("sub_1") + "\n" + subscription_json("sub_2") + "\n" + subscription_json("sub_3") + "\n");
  server.tell(R"({"subscriptions":[],"nextCursor":null})");
  CHECK(server.run({"subscriptions", "list", "--json"}).out.empty());
  server.tell(std::string(kRefusal), 404);
  CHECK(server.run({"subscriptions"}).exit_code == 1);
}

TEST_CASE("Subscriptions.ShowsAndChangesOne") {
  ToldServer server;
  const auto does = [&](std::vector<std::string> arguments, const std::string& asked) {
    CAPTURE(asked);
    arguments.insert(arguments.begin(), "subscriptions");
    server.tell(subscription_json("sub_1"));
    const auto shown = server.run(arguments);
    CHECK(shown.exit_code == 0);
    CHECK(server.asked() == asked + "\n");
    CHECK(contains(shown.out, "subscription    sub_1\nstate           paused\n"));
    CHECK(contains(shown.out, "attempts        10, after 1s to 1h\n"));
    arguments.emplace_back("--json");
    server.tell(subscription_json("sub_1"));
    CHECK(server.run(arguments).out == subscription_json("sub_1") + "\n");
    server.tell(std::string(kRefusal), 404);
    const auto refused = server.run(arguments);
    CHECK(refused.exit_code == 1);
    CHECK(refused.out.empty());
    CHECK(contains(refused.err, "refused: 404 subscription-not-found: There is no such subscription."));
  };
  does({"show", "sub_1"}, "GET /v1/subscriptions/sub_1");
  does({"show", "a/../b"}, "GET /v1/subscriptions/a%2F..%2Fb");
  does({"pause", "sub_1"}, "POST /v1/subscriptions/sub_1/pause");
  does({"resume", "sub_1"}, "POST /v1/subscriptions/sub_1/resume");
  does({"seek", "sub_1", "--from", "7"}, R"(POST /v1/subscriptions/sub_1/seek {"from":7})");
  does({"seek", "sub_1", "--from", "beginning", "--dry-run"},
       R"(POST /v1/subscriptions/sub_1/seek {"from":"beginning","dryRun":true})");

  server.tell({}, 204);
  const auto deleted = server.run({"subscriptions", "delete", "sub_1"});
  CHECK(deleted.exit_code == 0);
  CHECK(server.asked() == "DELETE /v1/subscriptions/sub_1\n");
  server.tell(R"({"secret":"whsec_BBBB"})");
  CHECK(server.run({"subscriptions", "rotate-secret", "sub_1"}).out == "whsec_BBBB\n");
  CHECK(server.run({"subscriptions", "explode", "sub_1"}).exit_code == 2);
  CHECK(contains(server.run({"subscriptions", "--help"}).out, "rotate-secret  "));
}

TEST_CASE("Subscriptions.ShowsAttemptsAndWhatBecameOfAnEvent") {
  ToldServer server;
  const std::string failed =
      R"({"batchId":"s_1_4_1","positions":[4,7],"attempt":2,"timestamp":"2026-11-28T09:17:00.788517Z","durationMs":12,)"
      R"("delivered":false,"error":"status","status":503,"detail":"The receiver answered 503.","answer":"busy\n"})";
  const std::string delivered =
      R"({"batchId":"s_1_4_1","positions":[4],"attempt":3,"timestamp":"2026-11-28T09:17:09.788517Z","durationMs":3,)"
      R"("delivered":true,"status":204,"detail":"","answer":""})";
  const std::string both = delivered + "," + failed;
  server.tell(R"({"deliveries":[)" + both + R"(],"nextCursor":null})");
  const auto table = server.run({"subscriptions", "deliveries", "s"});
  CHECK(table.exit_code == 0);
  CHECK(server.asked() == "GET /v1/subscriptions/s/deliveries\n");
  CHECK(
      table.out ==
      "TIME                         BATCH    POSITIONS  ATTEMPT  MS  OUTCOME                                 ANSWER\n"
      "2026-11-28T09:17:09.788517Z  s_1_4_1  4          3        3   delivered 204                           \n"
      "2026-11-28T09:17:00.788517Z  s_1_4_1  4 .. 7     2        12  status 503: The receiver answered 503.  busy?\n");
  const std::string fate =
      R"({"subscriptionId":"s","state":"active","fate":"delivered","attempts":[)" + failed + "," + delivered + "]}";
  const std::string other = R"({"subscriptionId":"t","state":"paused","fate":"not-matching","attempts":[]})";
  server.tell(R"({"deliveries":[)" + fate + R"(],"nextCursor":"c"})");
  server.tell(R"({"deliveries":[)" + other + R"(],"nextCursor":null})");
  const auto traced = server.run({"subscriptions", "trace", "e/1"});
  CHECK(server.asked() == "GET /v1/events/e%2F1/deliveries\nGET /v1/events/e%2F1/deliveries?cursor=c\n");
  CHECK(traced.out ==
        "SUBSCRIPTION  STATE   EVENT         ATTEMPTS  LAST ATTEMPT\n"
        "s             active  delivered     2         2026-11-28T09:17:09.788517Z delivered 204\n"
        "t             paused  not-matching  0         \n");
  server.tell(R"({"deliveries":[)" + fate + R"(],"nextCursor":null})");
  CHECK(server.run({"subscriptions", "trace", "e", "--json"}).out == fate + "\n");
}

TEST_CASE("DeadLetters.AreListedRedrivenAndDropped") {
  ToldServer server;
  server.tell(
      R"({"deadLetters":[{"position":4,"aggregateId":"a","eventType":"Sent","attempts":3,"error":"status","status":500}],)"
      R"("nextCursor":"c"})");
  server.tell(R"({"deadLetters":[{"position":5,"aggregateId":"b","attempts":1,"error":"timed-out","status":null}],)"
              R"("nextCursor":null})");
  const auto listed = server.run({"dead-letters", "list", "s"});
  CHECK(server.asked() == "GET /v1/subscriptions/s/dead-letters\nGET /v1/subscriptions/s/dead-letters?cursor=c\n");
  CHECK(contains(listed.out, "a          Sent  3         status     500\n"));
  CHECK(contains(listed.out, "b                1         timed-out  \n"));

  const auto redriven = [&](std::vector<std::string> flags, const std::string& body) {
    flags.insert(flags.begin(), {"dead-letters", "redrive", "s"});
    server.tell(R"({"positions":[4,5]})");
    const auto result = server.run(flags);
    CHECK(result.exit_code == 0);
    CHECK(result.out == "4\n5\n");
    CHECK(server.asked() == "POST /v1/subscriptions/s/dead-letters/redrive " + body + "\n");
    return result.err;
  };
  CHECK(redriven({}, "{}") == "2 are delivered again\n");
  CHECK(redriven({"--position", "4", "--position", "5", "--dry-run"}, R"({"positions":[4,5],"dryRun":true})") ==
        "2 would be delivered again\n");
  redriven({"--error", "status", "--status", "500", "--type", "A", "--type", "B", "--aggregate", "a", "--older-than",
            "2h", "--per-second", "3"},
           R"({"where":{"error":"status","status":500,"eventTypes":["A","B"],"aggregateIds":["a"],"olderThan":"2h"},)"
           R"("perSecond":3})");

  server.tell(R"({"positions":[4,5,6]})");
  server.tell({}, 204);
  server.tell(std::string(kRefusal), 404);  // somebody else was faster
  server.tell({}, 204);
  CHECK(server.run({"dead-letters", "drop", "s", "--status", "500"}).out == "4\n5\n6\n");
  CHECK(server.asked() ==
        "POST /v1/subscriptions/s/dead-letters/redrive {\"where\":{\"status\":500},\"dryRun\":true}\n"
        "DELETE /v1/subscriptions/s/dead-letters/4\nDELETE /v1/subscriptions/s/dead-letters/5\n"
        "DELETE /v1/subscriptions/s/dead-letters/6\n");
  server.tell(R"({"positions":[4]})");
  CHECK(server.run({"dead-letters", "drop", "s", "--all", "--dry-run"}).err == "1 would be dropped\n");
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"drop", "s"},
                                                {"drop", "s", "--all", "--position", "4"},
                                                {"list"},
                                                {"redrive"},
                                                {"redrive", "s", "--position", "4", "--status", "500"},
                                                {"redrive", "s", "--position", "x"}}) {
    std::vector<std::string> arguments{"dead-letters"};
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    CHECK(server.run(arguments).exit_code == 2);
    CHECK(server.asked().empty());
  }
}

TEST_CASE("Pull.PrintsAndThenAcknowledges") {
  ToldServer server;
  const std::string pulled =
      R"({"leaseId":"l1","events":[{"position":4,"eventType":"Sent","data":{"a": 1.50}},{"position":5}],"checkpoint":3})";
  server.tell(pulled);
  server.tell({}, 204);
  const auto acknowledged =
      server.run({"pull", "s", "--json", "--ack", "--limit", "5", "--wait", "2s", "--lease", "1min"});
  CHECK(acknowledged.exit_code == 0);
  CHECK(acknowledged.out == "{\"position\":4,\"eventType\":\"Sent\",\"data\":{\"a\":1.50}}\n{\"position\":5}\n");
  CHECK(server.asked() ==
        "POST /v1/subscriptions/s/pull {\"limit\":5,\"wait\":\"2s\",\"lease\":\"1min\"}\n"
        "POST /v1/subscriptions/s/ack {\"leaseId\":\"l1\"}\n");
  server.tell(pulled);
  const auto leased = server.run({"pull", "s"});
  CHECK(server.asked() == "POST /v1/subscriptions/s/pull {}\n");
  CHECK(contains(leased.out, "POSITION"));
  CHECK(contains(leased.err, "not acknowledged: lease l1"));
  server.tell(R"({"leaseId":null,"events":[],"checkpoint":3})");
  const auto none = server.run({"pull", "s", "--ack"});
  CHECK(none.exit_code == 0);
  CHECK(none.out.empty());
  server.tell(pulled);
  server.tell(R"({"type":"/problems/lease-expired","status":409,"detail":"Too late."})", 409);
  const auto late = server.run({"pull", "s", "--ack"});
  CHECK(late.exit_code == 1);
  CHECK(contains(late.err, "409 lease-expired"));
}

}  // namespace stele::tests
