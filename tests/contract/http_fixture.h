#pragma once
// What the tests of the HTTP contract share: a server of their own or a common one, JSON to look into, and checks of
// problems.

#include <simdjson.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/http_client.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"

namespace stele::tests {

/// A parsed JSON value that keeps its document alive. Lookups of what is not there, or of another type, throw.
class Json {
 public:
  /// Throws if `text` is not JSON.
  explicit Json(std::string_view text);

  /// By JSON pointer ("/events/0/eventId").
  [[nodiscard]] Json at(std::string_view pointer) const;
  [[nodiscard]] bool has(std::string_view pointer) const;
  [[nodiscard]] std::string text(std::string_view pointer) const;
  [[nodiscard]] std::uint64_t number(std::string_view pointer) const;
  [[nodiscard]] bool is_null(std::string_view pointer) const;
  /// Members of the array there.
  [[nodiscard]] std::vector<Json> list(std::string_view pointer) const;
  /// Names of the members of this object, in order.
  [[nodiscard]] std::vector<std::string> names() const;
  /// Without white space, numbers and strings as simdjson writes them: equal values give equal texts.
  [[nodiscard]] std::string minified() const;

 private:
  Json(std::shared_ptr<simdjson::dom::parser> parser, simdjson::dom::element element);
  [[nodiscard]] simdjson::dom::element find(std::string_view pointer) const;

  std::shared_ptr<simdjson::dom::parser> parser_;
  simdjson::dom::element element_;
};

/// A server on an empty data folder, with small segments so that tests see them roll.
class Api {
 public:
  explicit Api(std::vector<std::string> arguments = {});

  [[nodiscard]] HttpClient client() const { return HttpClient(port()); }
  [[nodiscard]] int port() const { return server_->port(); }
  [[nodiscard]] ServerProcess& server() { return *server_; }
  /// Its data folder.
  [[nodiscard]] const std::string& data() const { return options_.data; }
  /// SIGKILL, then a new server on the same folder and port.
  void kill_and_restart();

 private:
  test::TempFolder folder_;
  ServerProcess::Options options_;
  std::unique_ptr<ServerProcess> server_;
};

/// One server for all tests that only look at events of their own.
[[nodiscard]] Api& shared_api();

/// A name that no other test uses, beginning with `prefix`.
[[nodiscard]] std::string fresh(std::string_view prefix);
/// A fresh random UUID.
[[nodiscard]] std::string fresh_uuid();
/// `text` as a JSON string.
[[nodiscard]] std::string json_text(std::string_view text);
/// Percent-encoded for a path segment or a query value.
[[nodiscard]] std::string percent(std::string_view text);

/// {"eventType":…,"aggregateId":…,"data":… and `extra`, which begins with a comma if it is not empty.
[[nodiscard]] std::string event_json(std::string_view aggregate_id, std::string_view event_type = "Tested",
                                     std::string_view data = "{}", std::string_view extra = "");

/// POST /v1/events, which must give 201; returns the receipt.
Json append(HttpClient& client, std::string_view body, const Headers& headers = {});
/// GET of a JSON document, which must give 200.
[[nodiscard]] Json get_json(HttpClient& client, const std::string& target);
/// Number of events in the log, the store's own records left out: those come when they come.
[[nodiscard]] std::uint64_t event_count(HttpClient& client);
/// Number of all records in the log, which may be more at once.
[[nodiscard]] std::uint64_t log_end(HttpClient& client);

/// The body of a problem after checking its form: content type, type, title, status, detail. An empty `slug` accepts
/// any.
Json check_problem(const HttpResponse& response, int status, std::string_view slug = {});
/// True if one of the problem's errors points there.
[[nodiscard]] bool names_pointer(const Json& problem, std::string_view pointer);
/// True if `text` is RFC 3339 in UTC with six fractional digits.
[[nodiscard]] bool is_timestamp(std::string_view text);

}  // namespace stele::tests
