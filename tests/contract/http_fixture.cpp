#include "tests/contract/http_fixture.h"

#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <utility>

#include "engine/base/clock.h"
#include "engine/base/uuid.h"

namespace stele::tests {

Json::Json(std::string_view text) : parser_(std::make_shared<simdjson::dom::parser>()) {
  const auto error = parser_->parse(text.data(), text.size()).get(element_);
  if (error != simdjson::SUCCESS) throw std::runtime_error("not JSON: " + std::string(text.substr(0, 1000)));
}

Json::Json(std::shared_ptr<simdjson::dom::parser> parser, simdjson::dom::element element)
    : parser_(std::move(parser)), element_(element) {}

simdjson::dom::element Json::find(std::string_view pointer) const {
  simdjson::dom::element found;
  if (element_.at_pointer(pointer).get(found) != simdjson::SUCCESS) {
    throw std::runtime_error("no " + std::string(pointer) + " in " + minified().substr(0, 1000));
  }
  return found;
}

Json Json::at(std::string_view pointer) const { return {parser_, find(pointer)}; }

bool Json::has(std::string_view pointer) const { return element_.at_pointer(pointer).error() == simdjson::SUCCESS; }

std::string Json::text(std::string_view pointer) const {
  return std::string(std::string_view(find(pointer).get_string()));
}

std::uint64_t Json::number(std::string_view pointer) const { return find(pointer).get_uint64(); }

bool Json::is_null(std::string_view pointer) const { return find(pointer).is_null(); }

std::vector<Json> Json::list(std::string_view pointer) const {
  std::vector<Json> members;
  for (const simdjson::dom::element member : find(pointer).get_array()) members.push_back(Json(parser_, member));
  return members;
}

std::vector<std::string> Json::names() const {
  std::vector<std::string> found;
  for (const auto field : simdjson::dom::object(element_)) found.emplace_back(field.key);
  return found;
}

std::string Json::minified() const { return simdjson::minify(element_); }

Api::Api(std::vector<std::string> arguments) {
  options_.data = folder_.path() + "/data";
  options_.arguments = std::move(arguments);
  options_.arguments.insert(options_.arguments.end(), {"--segment-size", "32MiB"});
  server_ = std::make_unique<ServerProcess>(ServerProcess::start(options_));
}

void Api::kill_and_restart() {
  options_.port = server_->port();
  server_->kill();
  server_ = std::make_unique<ServerProcess>(ServerProcess::start(options_));
}

Api& shared_api() {
  static Api api;
  return api;
}

std::string fresh(std::string_view prefix) {
  static std::atomic<int> count{0};
  return std::string(prefix) + "-" + std::to_string(++count);
}

std::string fresh_uuid() { return to_string(make_uuid_v7(system_clock())); }

std::string json_text(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    json += c;
  }
  json += '"';
  return json;
}

std::string percent(std::string_view text) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
      encoded += c;
    } else {
      encoded += '%';
      encoded += digits[static_cast<unsigned char>(c) >> 4];
      encoded += digits[static_cast<unsigned char>(c) & 15];
    }
  }
  return encoded;
}

std::string event_json(std::string_view aggregate_id, std::string_view event_type, std::string_view data,
                       std::string_view extra) {
  std::string json = R"({"eventType":)" + json_text(event_type);
  json += R"(,"aggregateId":)" + json_text(aggregate_id);
  json.append(R"(,"data":)").append(data).append(extra) += '}';
  return json;
}

Json append(HttpClient& client, std::string_view body, const Headers& headers) {
  const HttpResponse response = client.post("/v1/events", body, "application/json", headers);
  INFO("sent: ", body.substr(0, 1000));
  INFO("answer: ", response.body.substr(0, 1000), response.error);
  REQUIRE(response.status == 201);
  return Json(response.body);
}

Json get_json(HttpClient& client, const std::string& target) {
  const HttpResponse response = client.get(target);
  INFO("GET ", target, ": ", response.body.substr(0, 1000), response.error);
  REQUIRE(response.status == 200);
  CHECK(response.header("Content-Type").starts_with("application/json"));
  return Json(response.body);
}

std::uint64_t event_count(HttpClient& client) {
  const HttpResponse listed = client.get("/v1/aggregates", {{"Accept", "application/x-ndjson"}});
  REQUIRE(listed.status == 200);
  std::uint64_t count = 0;
  for (std::size_t at = 0, end = 0; (end = listed.body.find('\n', at)) != std::string::npos; at = end + 1) {
    count += Json(listed.body.substr(at, end - at)).number("/count");
  }
  return count;
}

std::uint64_t log_end(HttpClient& client) { return get_json(client, "/v1/head").number("/size"); }

Json check_problem(const HttpResponse& response, int status, std::string_view slug) {
  INFO("answer: ", response.status, " ", response.body.substr(0, 1000), response.error);
  REQUIRE(response.status == status);
  CHECK(response.header("Content-Type") == "application/problem+json");
  Json problem(response.body);
  const std::string type = problem.text("/type");
  CHECK(type.starts_with("/problems/"));
  if (!slug.empty()) CHECK(type == "/problems/" + std::string(slug));
  CHECK(problem.number("/status") == static_cast<std::uint64_t>(status));
  CHECK_FALSE(problem.text("/title").empty());
  CHECK_FALSE(problem.text("/detail").empty());
  CHECK_FALSE(problem.text("/instance").empty());
  return problem;
}

bool names_pointer(const Json& problem, std::string_view pointer) {
  if (!problem.has("/errors")) return false;
  for (const Json& error : problem.list("/errors")) {
    if (error.has("/pointer") && error.text("/pointer") == pointer) return true;
  }
  return false;
}

bool is_timestamp(std::string_view text) {
  static constexpr std::string_view pattern = "dddd-dd-ddTdd:dd:dd.ddddddZ";
  if (text.size() != pattern.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (pattern[i] == 'd' ? !digit : text[i] != pattern[i]) return false;
  }
  return true;
}

}  // namespace stele::tests
