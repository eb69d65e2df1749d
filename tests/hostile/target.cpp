#include "tests/hostile/target.h"

#include <doctest/doctest.h>

#include <utility>

#include "tests/support/process_usage.h"

namespace stele::tests {

Target::Target(std::vector<std::string> arguments)
    : api_(std::move(arguments)), watcher_(api_.client()), sockets_at_first_(open_sockets(pid())) {}

std::vector<HttpResponse> Target::exchange(std::string_view bytes) {
  RawClient client = connect();
  // A server that refuses early may close before all is sent: its answer counts, not the broken write.
  (void)client.send(bytes);
  CHECK(client.wait_for_end());
  return answers(client.received());
}

std::vector<HttpResponse> Target::answers(std::string_view received) const {
  std::vector<HttpResponse> all = split_answers(received);
  for (const HttpResponse& answer : all) check_answer(answer);
  return all;
}

void Target::check_answer(const HttpResponse& answer) const {
  INFO("answer: ", answer.status, " ", answer.body.substr(0, 1000), answer.error);
  for (const std::string& secret : {api_.data(), std::string("terminate called"), std::string(".cpp:"),
                                    std::string("std::"), std::string("boost")}) {
    CHECK(answer.body.find(secret) == std::string::npos);
    for (const auto& [name, value] : answer.headers) CHECK(value.find(secret) == std::string::npos);
  }
  if (answer.status >= 400 && !answer.body.empty()) check_problem(answer, answer.status);
}

void Target::check_serves() {
  REQUIRE(api_.server().running());
  const std::string id = fresh("served");
  append(watcher_, event_json(id));
  CHECK(get_json(watcher_, "/v1/events?aggregateId=" + id).list("/events").size() == 1);
}

std::uint64_t Target::event_count() { return tests::event_count(watcher_); }

std::size_t Target::connections() {
  // The watcher's own may be closed by the server at any time.
  watcher_.close();
  return open_sockets(pid()) - sockets_at_first_;
}

std::string post_event(std::string_view aggregate_id, std::string_view data) {
  return post_body(event_json(aggregate_id, "Tested", data));
}

std::string post_body(std::string_view body, std::string_view content_type) {
  std::string request = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: ";
  request.append(content_type).append("\r\nContent-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
  return request.append(body);
}

std::string get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  all.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

}  // namespace stele::tests
