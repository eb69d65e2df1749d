#pragma once
// What the tests with hostile clients share: a server whose deadlines are short, and what must hold of every answer.

#include <string>
#include <string_view>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/support/raw_client.h"

namespace stele::tests {

/// A server of a test's own. Each answer that goes through it is looked at for what no stranger may see.
class Target {
 public:
  explicit Target(std::vector<std::string> arguments = {});

  [[nodiscard]] Api& api() { return api_; }
  [[nodiscard]] int port() const { return api_.port(); }
  [[nodiscard]] pid_t pid() { return api_.server().pid(); }
  [[nodiscard]] RawClient connect() const { return RawClient(port()); }

  /// Sends the bytes on a connection of their own and reads until the server closes it.
  [[nodiscard]] std::vector<HttpResponse> exchange(std::string_view bytes);
  /// Splits what was received into answers, each of them checked.
  [[nodiscard]] std::vector<HttpResponse> answers(std::string_view received) const;
  /// No file path, no trace of the program, and a documented problem if it is a refusal.
  void check_answer(const HttpResponse& answer) const;

  /// The server serves: an append, and reading it back.
  void check_serves();
  [[nodiscard]] std::uint64_t event_count();
  /// Sockets that the server has open now and did not have when it began to listen.
  [[nodiscard]] std::size_t connections();

 private:
  Api api_;
  HttpClient watcher_;
  std::size_t sockets_at_first_;
};

/// POST of one event as a whole request.
[[nodiscard]] std::string post_event(std::string_view aggregate_id, std::string_view data = "{}");
/// A request to the event collection with that body, whatever it is.
[[nodiscard]] std::string post_body(std::string_view body, std::string_view content_type = "application/json");
[[nodiscard]] std::string get(std::string_view target);
[[nodiscard]] std::string repeated(std::string_view text, std::size_t times);

}  // namespace stele::tests
