#pragma once
// Services that record what is done, and searches in what they have recorded.

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/audit/audit_search.h"
#include "tests/api/support.h"

namespace stele::api::test {

inline constexpr std::string_view kAuditSearch = "/v1/events/audit";

inline ServiceOptions audited(AuditSettings settings = {}) {
  ServiceOptions options;
  settings.window = std::chrono::milliseconds(20);
  options.audit = std::move(settings);
  return options;
}

/// The records of a search, each as its JSON text.
inline std::vector<std::string> records_of(TestService& service, const std::string& query,
                                           TestService::Headers headers = {}) {
  headers.emplace("Accept", "application/x-ndjson");
  const Answer answer = service.get(std::string(kAuditSearch) + query, headers);
  REQUIRE_MESSAGE(answer.status == 200, answer.body);
  std::vector<std::string> lines;
  for (std::size_t at = 0, end = 0; (end = answer.body.find('\n', at)) != std::string::npos; at = end + 1) {
    lines.push_back(answer.body.substr(at, end - at));
  }
  return lines;
}

/// Waits until a search finds as many.
inline std::vector<std::string> wait_for_records(TestService& service, const std::string& query, std::size_t count,
                                                 const TestService::Headers& headers = {}) {
  std::vector<std::string> found;
  wait_until([&] {
    found = records_of(service, query, headers);
    return found.size() >= count;
  });
  return found;
}

/// The whole trail, read from the store: nobody is told of that.
inline std::vector<std::string> trail_of(TestService& service) {
  std::vector<std::string> records;
  const auto view = service.store().view();
  for (Position at{0}; at < service.store().durable_end(); at = at.next()) {
    Record record;
    const auto read = view->read(at, record);
    if (!read) break;  // newer than the view
    append_audit_json(records.emplace_back(), record, nullptr);
  }
  return records;
}

inline std::string text_at(const std::string& json, const std::string& pointer) {
  Answer answer;
  answer.body = json;
  return answer.text(pointer);
}

/// As JSON, so that null is told from "null".
inline std::string json_at(const std::string& json, const std::string& pointer) {
  Answer answer;
  answer.body = json;
  return answer.at(pointer);
}

inline std::uint64_t calls_of(const std::vector<std::string>& records) {
  std::uint64_t calls = 0;
  for (const std::string& record : records) calls += std::stoull(text_at(record, "/details/count"));
  return calls;
}

inline bool is_in(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace stele::api::test
