#pragma once
// A server whose files are looked through for what was redacted, those that it has open too.

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/support/eventually.h"
#include "tests/support/text_forms.h"

namespace stele::tests {

inline const std::vector<std::string> kSmallSegments{"--segment-size", "64KiB"};

/// A server with the smallest segments.
class RedactionServer {
 public:
  explicit RedactionServer(Environment environment = {}, std::vector<std::string> arguments = kSmallSegments) {
    options_.data = folder_.path() + "/data";
    options_.environment = std::move(environment);
    options_.arguments = std::move(arguments);
    start();
  }
  [[nodiscard]] HttpClient client() const { return HttpClient(server_->port()); }
  [[nodiscard]] ServerProcess& server() { return *server_; }
  [[nodiscard]] const std::string& data() const { return options_.data; }
  void kill_and_restart() {
    server_->kill();
    start();
  }
  /// In good order.
  void stop_and_restart(std::vector<std::string> arguments) {
    CHECK(server_->stop() == 0);
    options_.arguments = std::move(arguments);
    start();
  }

 private:
  void start() { server_ = std::make_unique<ServerProcess>(ServerProcess::start(options_)); }

  test::TempFolder folder_;
  ServerProcess::Options options_;
  std::unique_ptr<ServerProcess> server_;
};

inline std::string whole_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

/// In the folder, and in what the process has open, removed files too.
inline std::vector<std::pair<std::string, std::string>> files_held(RedactionServer& api) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(api.data())) {
    std::error_code gone;
    if (entry.is_regular_file(gone)) files.emplace_back(entry.path(), whole_file(entry.path()));
  }
  const std::filesystem::path descriptors = "/proc/" + std::to_string(api.server().pid()) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(descriptors)) {
    std::error_code gone;
    if (std::filesystem::is_regular_file(entry.path(), gone)) {
      files.emplace_back(std::filesystem::read_symlink(entry.path(), gone), whole_file(entry.path()));
    }
  }
  return files;
}

/// A file that was replaced must not be mapped any more.
inline bool maps_a_removed_segment(RedactionServer& api) {
  std::ifstream maps("/proc/" + std::to_string(api.server().pid()) + "/maps");
  std::string line;
  while (std::getline(maps, line)) {
    if (line.find(".seg (deleted)") != std::string::npos) return true;
  }
  return false;
}

inline void check_nowhere(RedactionServer& api, const std::vector<std::string>& secrets) {
  const auto files = files_held(api);
  REQUIRE(files.size() > 5);
  for (const std::string& secret : secrets) {
    for (const std::string& form : test::forms_of(secret)) {
      for (const auto& [path, contents] : files) {
        CAPTURE(path);
        CAPTURE(form);
        REQUIRE(contents.find(form) == std::string::npos);
      }
    }
  }
  CHECK_FALSE(maps_a_removed_segment(api));
}

inline bool is_somewhere(RedactionServer& api, const std::string& text) {
  for (const auto& [path, contents] : files_held(api)) {
    if (contents.find(text) != std::string::npos) return true;
  }
  return false;
}

inline std::string append_secret(RedactionServer& api, const std::string& aggregate, const std::string& secret) {
  HttpClient client = api.client();
  const HttpResponse stored =
      client.post("/v1/events", event_json(aggregate, "Tested", R"({"note":)" + json_text(secret) + "}"));
  REQUIRE_MESSAGE(stored.status == 201, stored.body);
  return Json(stored.body).text("/eventId");
}

inline std::string ask_redaction(RedactionServer& api, const std::string& path) {
  HttpClient client = api.client();
  const HttpResponse asked = client.post(path, R"({"reason":"erasure"})");
  REQUIRE_MESSAGE(asked.status == 202, asked.body);
  return "/v1/audit/redactions/" + Json(asked.body).text("/redactionId");
}

inline Json wait_completed(RedactionServer& api, const std::string& location) {
  HttpResponse status;
  const bool is_completed = eventually(
      [&] {
        HttpClient client = api.client();
        status = client.get(location);
        REQUIRE_MESSAGE(status.status == 200, status.body);
        return Json(status.body).text("/state") == "completed";
      },
      std::chrono::minutes(2));
  REQUIRE_MESSAGE(is_completed, status.body);
  return Json(status.body);
}

/// Letters that are found nowhere else, with a quote in the middle.
inline std::string secret_text(const std::string& name) { return "nobody may know \"" + name + "\" any more, at all"; }

}  // namespace stele::tests
