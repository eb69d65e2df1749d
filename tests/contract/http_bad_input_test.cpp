// Hostile and broken requests: each gets the right refusal, and the store is none the worse for it.

#include <doctest/doctest.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tests/contract/http_fixture.h"

namespace stele::tests {
namespace {

std::string repeated(std::string_view text, int times) {
  std::string all;
  all.reserve(text.size() * static_cast<std::size_t>(times));
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

std::string nested(int depth) { return event_json("never", "T", repeated("[", depth) + repeated("]", depth)); }

/// Runs `attack`, then checks that nothing was stored and that the next append works.
void check_unharmed(const std::function<void(HttpClient&)>& attack) {
  HttpClient watcher = shared_api().client();
  const std::uint64_t size = event_count(watcher);
  {
    HttpClient attacker = shared_api().client();
    attack(attacker);
  }
  CHECK(shared_api().server().running());
  CHECK(event_count(watcher) == size);
  append(watcher, event_json(fresh("unharmed")));
  CHECK(event_count(watcher) == size + 1);
}

}  // namespace

TEST_CASE("BadInput.MalformedJsonIs400") {
  check_unharmed([](HttpClient& client) {
    const std::string good = event_json("never");
    for (const std::string& body : std::vector<std::string>{
             "",
             " ",
             "{",
             "}",
             "nonsense",
             "{\"eventType\":\"T\"",
             good + "x",
             good + good,
             good + ",",
             "[" + good,
             "[" + good + ",]",
             "[" + good + " " + good + "]",
             "{'eventType':'T'}",
             "{eventType:\"T\"}",
             event_json("never", "T", "tru"),
             event_json("never", "T", "01"),
             event_json("never", "T", "+1"),
             event_json("never", "T", "1."),
             event_json("never", "T", ".5"),
             event_json("never", "T", "1e"),
             event_json("never", "T", "NaN"),
             event_json("never", "T", "-Infinity"),
             event_json("never", "T", "\"\\x41\""),
             event_json("never", "T", "\"\\u12\""),
             event_json("never", "T", "\"line\nbreak\""),
             event_json("never", "T", "{\"a\":1,}"),
             event_json("never", "T", "{\"a\"}"),
             event_json("never", "T", "[1,,2]"),
             event_json("never", "T", "/* comment */ 1"),
             "\xEF\xBB\xBF" + good + "\xEF\xBB\xBF",
             std::string("\0", 1),
             good + std::string("\0", 1),
             "{\"events\":[" + good + "]",
         }) {
      INFO("body: ", body);
      check_problem(client.post("/v1/events", body), 400, "malformed-json");
    }
  });
}

TEST_CASE("BadInput.InvalidUtf8Is400Or422") {
  check_unharmed([](HttpClient& client) {
    for (const std::string& bytes :
         std::vector<std::string>{"\xFF", "\x80", "\xC3", "\xC0\xAF", "\xE2\x82", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                  "\xF8\x88\x80\x80\x80", "abc\xC3\x28", "\xF0\x9F\x98"}) {
      for (const std::string& body : {event_json("never", "T", "\"" + bytes + "\""), event_json("never" + bytes),
                                      event_json("never", "T", "{}", ",\"" + bytes + "\":1")}) {
        check_problem(client.post("/v1/events", body), 400, "malformed-json");
      }
    }
    for (const char* const data : {R"("\ud800")", R"("\udc00x")", R"({"\ud800":1})", R"("\ud83d\ud83d")"}) {
      const HttpResponse response = client.post("/v1/events", event_json("never", "T", data));
      INFO("data: ", data);
      CHECK((response.status == 400 || response.status == 422));
      check_problem(response, response.status);
    }
  });
}

TEST_CASE("BadInput.DeepNestingIsRefusedAtTheLimit") {
  check_unharmed([](HttpClient& client) {
    CHECK(names_pointer(check_problem(client.post("/v1/events", nested(129)), 422), "/data"));
    check_problem(client.post("/v1/events", nested(1000)), 422);
    check_problem(client.post("/v1/events", nested(1025)), 422);
    check_problem(client.post("/v1/events", nested(100'000)), 422);
    check_problem(client.post("/v1/events", repeated("[", 100'000) + repeated("]", 100'000)), 422);
    check_problem(client.post("/v1/events", repeated("[", 100'000)), 400);
    check_problem(client.post("/v1/events", repeated("{\"a\":", 100'000) + "1" + repeated("}", 100'000)), 422);
    check_problem(client.post("/v1/events", repeated("{\"data\":", 100'000)), 400);
    check_problem(client.post("/v1/events", event_json("never", "T", "1",
                                                       ",\"metadata\":" + repeated("{\"a\":", 100'000) + "1" +
                                                           repeated("}", 100'000))),
                  422);
  });
  HttpClient client = shared_api().client();
  CHECK(client.post("/v1/events", nested(128)).status == 201);
}

TEST_CASE("BadInput.WrongShapesAre422") {
  check_unharmed([](HttpClient& client) {
    for (const char* const body : {"null", "true", "17", "\"text\"", "{}", "[]", "[null]", "[[]]", "[1]",
                                   R"({"events":{}})", R"({"events":null})", R"({"events":[null]})",
                                   R"({"condition":{}})", R"({"events":[],"events":[]})", R"([{}])"}) {
      INFO("body: ", body);
      check_problem(client.post("/v1/events", body), 422, "invalid-event");
    }
  });
}

TEST_CASE("BadInput.LargeMembersAre413") {
  check_unharmed([](HttpClient& client) {
    const std::string too_much = "\"" + std::string(1 << 20, 'x') + "\"";
    const Json data =
        check_problem(client.post("/v1/events", event_json("never", "T", too_much)), 413, "event-too-large");
    CHECK(names_pointer(data, "/data"));
    const Json metadata = check_problem(
        client.post("/v1/events",
                    event_json("never", "T", "1", R"(,"metadata":{"x":")" + std::string(64 << 10, 'x') + "\"}")),
        413, "event-too-large");
    CHECK(names_pointer(metadata, "/metadata"));
  });
  HttpClient client = shared_api().client();
  const std::string most = "\"" + std::string((1 << 20) - 2, 'x') + "\"";
  const Json receipt = append(client, event_json(fresh("large"), "T", most));
  CHECK(client.get("/v1/events/" + receipt.text("/eventId") + "/data").body == most);
}

TEST_CASE("BadInput.HugeBodiesAre413") {
  check_unharmed([](HttpClient& client) {
    // Announced: refused before the body is read.
    REQUIRE(
        client.send_raw("POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        "Content-Length: 100000000000\r\n\r\n["));
    check_problem(client.read_response(), 413, "payload-too-large");
  });
  check_unharmed([](HttpClient& client) {
    // Not announced: refused on the way.
    if (!client.send_raw("POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n")) {
      FAIL_CHECK("the header is not taken");
      return;
    }
    const std::string chunk = "10000\r\n" + std::string(0x10000, ' ') + "\r\n";
    for (int i = 0; i < 300 && client.send_raw(chunk); ++i) {
    }
    check_problem(client.read_response(), 413, "payload-too-large");
  });
}

TEST_CASE("BadInput.WrongMediaTypesAre415And406") {
  check_unharmed([](HttpClient& client) {
    const std::string good = event_json("never");
    for (const char* const type :
         {"text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
          "application/json; charset=iso-8859-1", "application/json; profile=x; charset=iso-8859-1",
          "application/jsonl; charset=utf-16", "json", "/", "application/jsonx"}) {
      INFO("type: ", type);
      check_problem(client.post("/v1/events", good, type), 415, "unsupported-media-type");
    }
    check_problem(client.request("POST", "/v1/events", good), 415, "unsupported-media-type");
    check_problem(client.post("/v1/events", good, "application/json", {{"Content-Encoding", "br"}}), 415,
                  "unsupported-media-type");
    check_problem(client.post("/v1/events", good, "application/json", {{"Accept", "text/html"}}), 406,
                  "not-acceptable");
    check_problem(client.get("/v1/events", {{"Accept", "image/png"}}), 406, "not-acceptable");
  });
}

TEST_CASE("BadInput.WrongMethodsAre405WithAllow") {
  check_unharmed([](HttpClient& client) {
    struct Row {
      const char* path;
      std::vector<const char*> methods;
      const char* allowed;
    };
    for (const Row& row : std::vector<Row>{{"/v1/events", {"DELETE", "PUT", "PATCH"}, "POST"},
                                           {"/v1/events", {"DELETE", "PUT", "PATCH"}, "GET"},
                                           {"/v1/head", {"POST", "DELETE", "PUT"}, "GET"},
                                           {"/v1/aggregates", {"POST", "DELETE", "PUT"}, "GET"},
                                           {"/v1/aggregates/x", {"POST", "DELETE", "PUT", "PATCH"}, "GET"},
                                           {"/healthz", {"POST", "DELETE"}, "GET"},
                                           {"/openapi.json", {"POST", "PUT"}, "GET"}}) {
      for (const char* const method : row.methods) {
        INFO(method, " ", row.path);
        const HttpResponse response = client.request(method, row.path, "{}", {{"Content-Type", "application/json"}});
        check_problem(response, 405, "method-not-allowed");
        CHECK(response.header("Allow").find(row.allowed) != std::string::npos);
      }
    }
  });
}

TEST_CASE("BadInput.BrokenHttpIsRefusedAndTheConnectionClosed") {
  check_unharmed([](HttpClient&) {
    for (const std::string& bytes : std::vector<std::string>{
             "\r\n\r\nnonsense\r\n\r\n",
             "GET\r\n\r\n",
             "GET /v1/head\r\n\r\n",
             "GET /v1/head HTTP/1.1\r\n\r\n",
             "GET /v1/head HTTP/1.1\r\nHost: localhost\r\nHost: b\r\n\r\n",
             "GET /v1/head HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n",
             "GET /v1/head HTTP/1.1\r\nHost: localhost\r\nbad name: x\r\n\r\n",
             "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
             "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
             "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: "
             "chunked\r\n\r\n0\r\n\r\n",
             "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
             "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: "
             "chunked\r\n\r\nZZ\r\n",
             "GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
             "GET /v1/head HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(200'000, 'b') + "\r\n\r\n",
         }) {
      HttpClient client = shared_api().client();
      REQUIRE(client.connect());
      client.send_raw(bytes);
      const HttpResponse response = client.read_response();
      INFO("sent: ", bytes.substr(0, 200), " answer: ", response.status, " ", response.error);
      // Where the server can still answer, the answer is a refusal; it may also just close.
      if (response.status != 0) {
        CHECK(response.status >= 400);
        CHECK(response.status <= 505);
        check_problem(response, response.status);
      }
      CHECK(client.closed_by_server());
    }
  });
}

TEST_CASE("BadInput.RequestsCutOffHalfWayStoreNothing") {
  check_unharmed([](HttpClient&) {
    const std::string body = event_json("never");
    const std::string request =
        "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
    for (std::size_t cut = 1; cut < request.size(); cut += 11) {
      HttpClient client = shared_api().client();
      REQUIRE(client.connect());
      REQUIRE(client.send_raw(std::string_view(request).substr(0, cut)));
      client.close();
    }
  });
}

TEST_CASE("BadInput.RandomDamageNeverGivesAnythingButA4xxOrAValidAnswer") {
  const unsigned seed = std::random_device{}();
  INFO("seed ", seed);
  std::mt19937 random(seed);
  HttpClient client = shared_api().client();
  const std::string good =
      R"({"events":[)" +
      event_json(fresh("damaged"), "T", R"({"a":[1,2.5e3,"\u00e9é"],"b":null})", R"(,"userId":"u")") +
      R"(],"condition":{"failIfEventsMatch":[{"eventTypes":["Never"]}],"after":0}})";
  for (int round = 0; round < 1500; ++round) {
    std::string body = good;
    for (int changes = 1 + static_cast<int>(random() % 3); changes > 0 && !body.empty(); --changes) {
      const std::size_t at = random() % body.size();
      switch (random() % 4) {
        case 0:
          body[at] = static_cast<char>(random());
          break;
        case 1:
          body.erase(at, 1 + random() % 5);
          break;
        case 2:
          body.insert(at, body.substr(random() % body.size(), random() % 9));
          break;
        default:
          body[at] = "{}[]\",:\\0"[random() % 9];
          break;
      }
    }
    const HttpResponse response = client.post("/v1/events", body);
    INFO("body: ", body);
    if (response.status == 201) continue;
    CHECK(response.status >= 400);
    CHECK(response.status < 500);
    check_problem(response, response.status);
  }
  CHECK(get_json(client, "/readyz").has(""));
  append(client, event_json(fresh("unharmed")));
}

}  // namespace stele::tests
