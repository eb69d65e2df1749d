// The allowed direction of #include edges. It keeps the engine free of HTTP, JSON and sockets, and each folder below
// what uses it.

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/build_paths.h"

namespace {

namespace fs = std::filesystem;

struct Folder {
  std::string_view name;  ///< from the source root, ending in '/'
  std::vector<std::string_view> may_include;
};

/// A file belongs to the first entry its path begins with. Every folder may include itself.
const std::vector<Folder>& folders() {
  static const std::vector<Folder> table{
      {"engine/base/", {}},
      {"engine/log/", {"engine/base/"}},
      {"engine/table/", {"engine/base/"}},
      {"engine/index/", {"engine/base/", "engine/log/", "engine/table/"}},
      {"engine/audit/", {"engine/base/", "engine/log/"}},
      {"engine/feed/", {"engine/base/"}},
      {"engine/deliveries/", {"engine/base/"}},
      {"engine/snapshots/", {"engine/base/", "engine/log/", "engine/table/"}},
      {"engine/recovery/", {"engine/base/", "engine/log/", "engine/index/", "engine/audit/", "engine/snapshots/"}},
      {"engine/redaction/", {"engine/base/", "engine/log/", "engine/recovery/"}},
      {"engine/commit/", {"engine/base/", "engine/log/", "engine/index/", "engine/audit/", "engine/snapshots/"}},
      {"engine/verify/", {"engine/base/", "engine/log/", "engine/audit/", "engine/recovery/", "engine/commit/"}},
      {"engine/store/",
       {"engine/base/", "engine/log/", "engine/table/", "engine/index/", "engine/audit/", "engine/snapshots/",
        "engine/feed/", "engine/deliveries/", "engine/recovery/", "engine/commit/", "engine/redaction/"}},
      {"engine/live/", {"engine/"}},
      {"api/json/", {"engine/"}},
      {"api/http/", {"engine/", "api/json/"}},
      {"api/access/", {"engine/", "api/json/", "api/http/"}},
      {"api/endpoint/", {"engine/", "api/json/", "api/http/", "api/access/", "api/records/"}},
      {"api/records/", {"engine/", "api/json/"}},
      {"api/schemas/", {"engine/", "api/json/", "api/http/", "api/access/", "api/endpoint/", "api/records/"}},
      {"api/events/", {"engine/", "api/json/", "api/http/", "api/access/", "api/endpoint/", "api/records/"}},
      {"api/bus/", {"engine/", "api/json/", "api/http/", "api/access/", "api/endpoint/", "api/records/"}},
      {"api/live/", {"engine/", "api/json/", "api/http/", "api/access/", "api/endpoint/", "api/records/"}},
      {"api/replay/", {"engine/", "api/json/", "api/http/", "api/access/", "api/endpoint/", "api/records/"}},
      {"api/subscriptions/", {"engine/", "api/json/", "api/http/", "api/access/", "api/endpoint/", "api/records/"}},
      {"api/audit/",
       {"engine/", "api/json/", "api/http/", "api/access/", "api/endpoint/", "api/records/",
        "api/subscriptions/webhook_sender.h", "api/subscriptions/redis_sender.h"}},
      {"api/operations/",
       {"engine/", "api/json/", "api/http/", "api/access/", "api/endpoint/", "api/openapi_json.inc"}},
      {"api/", {"engine/", "api/"}},
      {"net/log/", {"engine/", "api/"}},
      {"net/tls/", {"engine/", "api/", "net/log/"}},
      {"net/http/", {"engine/", "api/", "net/log/", "net/tls/"}},
      {"net/live/", {"engine/", "api/", "net/log/"}},
      {"net/server/", {"engine/", "api/", "net/"}},
      {"net/worker/", {"engine/", "api/", "net/log/"}},
      {"net/redis/", {"engine/", "api/", "net/log/", "net/tls/", "net/http/localhost.h"}},
      {"net/webhook/", {"engine/", "api/", "net/log/", "net/tls/", "net/http/", "net/server/task.h"}},
      {"tools/cli/", {"engine/", "api/", "net/"}},
      {"tools/client/", {"engine/", "api/", "net/", "tools/cli/"}},
      {"tools/offline/", {"engine/", "api/", "net/", "tools/cli/"}},
      {"tools/commands/", {"engine/", "api/", "net/", "tools/cli/", "tools/client/", "tools/offline/"}},
      {"tools/", {"engine/", "api/", "net/", "tools/"}},
  };
  return table;
}

/// What of the engine the HTTP side is built on. Everything else is the engine's own affair.
const std::vector<std::string_view>& engine_headers_for_api() {
  static const std::vector<std::string_view> table{
      "engine/audit/checkpoint.h",
      "engine/audit/checkpoint_folder.h",
      "engine/audit/merkle_proof.h",
      "engine/audit/merkle_tree.h",
      "engine/audit/note_key.h",
      "engine/audit/signed_note.h",
      "engine/audit/witness_request.h",
      "engine/base/base64.h",
      "engine/base/bytes.h",
      "engine/base/check.h",
      "engine/base/clock.h",
      "engine/base/digest.h",
      "engine/base/file_system.h",
      "engine/base/histogram.h",
      "engine/base/ids.h",
      "engine/base/interval_thread.h",
      "engine/base/keyed_hash.h",
      "engine/base/mutex.h",
      "engine/base/read_budget.h",
      "engine/base/result.h",
      "engine/base/uuid.h",
      "engine/commit/proposal.h",
      "engine/deliveries/delivery_journal.h",
      "engine/deliveries/delivery_queue.h",
      "engine/deliveries/delivery_state.h",
      "engine/feed/durable_feed.h",
      "engine/index/event_filter.h",
      "engine/index/query.h",
      "engine/log/record.h",
      "engine/redaction/redaction.h",
      "engine/redaction/redaction_gate.h",
      "engine/snapshots/snapshot_store.h",
      "engine/live/event_follower.h",
      "engine/live/event_hub.h",
      "engine/store/read_view.h",
      "engine/store/store.h",
  };
  return table;
}

/// Libraries a folder must not know at all, by the beginning of the header's name.
struct ForbiddenLibraries {
  std::string_view folder;
  std::vector<std::string_view> headers;
};

const std::vector<ForbiddenLibraries>& forbidden_libraries() {
  static const std::vector<ForbiddenLibraries> table{
      {"engine/",
       {"boost/asio", "boost/beast", "boost/url", "simdjson", "nlohmann/", "hiredis/", "CLI/", "sys/socket.h"}},
      {"api/", {"boost/asio", "boost/beast", "hiredis/", "CLI/", "sys/socket.h", "netinet/"}},
      {"net/", {"CLI/"}},
  };
  return table;
}

const Folder* folder_of(std::string_view path) {
  for (const Folder& folder : folders()) {
    if (path.starts_with(folder.name)) return &folder;
  }
  return nullptr;
}

struct Include {
  std::string name;
  bool quoted = false;
};

std::optional<Include> include_in(std::string_view line) {
  const auto skip_blanks = [&] { line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size())); };
  skip_blanks();
  if (!line.starts_with('#')) return std::nullopt;
  line.remove_prefix(1);
  skip_blanks();
  if (!line.starts_with("include")) return std::nullopt;
  line.remove_prefix(7);
  skip_blanks();
  if (line.empty() || (line[0] != '"' && line[0] != '<')) return std::nullopt;
  const bool is_quoted = line[0] == '"';
  const std::size_t end = line.find(is_quoted ? '"' : '>', 1);
  if (end == std::string_view::npos) return std::nullopt;
  return Include{std::string(line.substr(1, end - 1)), is_quoted};
}

/// Why a file must not have this include; empty if it may.
std::string objection(std::string_view file, const Include& include) {
  if (!include.quoted) {
    for (const ForbiddenLibraries& rule : forbidden_libraries()) {
      if (!file.starts_with(rule.folder)) continue;
      for (const std::string_view header : rule.headers) {
        if (include.name.starts_with(header)) return std::string(rule.folder) + " must not know <" + include.name + ">";
      }
    }
    return {};
  }
  const Folder* const from = folder_of(file);
  const Folder* const to = folder_of(include.name);
  if (to == nullptr) return "\"" + include.name + "\" is not a path from the source root";
  if (from == to) return {};
  if (file.starts_with("api/") && include.name.starts_with("engine/")) {
    const auto& listed = engine_headers_for_api();
    if (std::find(listed.begin(), listed.end(), include.name) != listed.end()) return {};
    return "the HTTP side must not use " + include.name;
  }
  const bool allowed = std::any_of(from->may_include.begin(), from->may_include.end(),
                                   [&](std::string_view name) { return include.name.starts_with(name); });
  if (allowed) return {};
  return std::string(from->name) + " must not include " + std::string(to->name);
}

std::vector<std::string> objections_in(const fs::path& root, const std::string& file) {
  std::vector<std::string> found;
  std::ifstream in(root / file);
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    const auto include = include_in(line);
    if (!include) continue;
    const std::string why = objection(file, *include);
    if (!why.empty()) found.push_back(file + ":" + std::to_string(number) + ": " + why);
  }
  return found;
}

std::vector<std::string> source_files(const fs::path& root) {
  std::vector<std::string> files;
  for (const char* const top : {"engine", "api", "net", "tools"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
      const std::string extension = entry.path().extension().string();
      if (extension == ".h" || extension == ".cpp") files.push_back(fs::relative(entry.path(), root).string());
    }
  }
  return files;
}

}  // namespace

TEST_CASE("IncludeEdges.RunOnlyTowardsTheFoundation") {
  const fs::path root = stele::tests::source_path("");
  const std::vector<std::string> files = source_files(root);
  REQUIRE(files.size() > 10);
  for (const std::string& file : files) {
    for (const std::string& wrong : objections_in(root, file)) FAIL_CHECK(wrong);
  }
}

TEST_CASE("IncludeEdges.EveryFolderWithSourcesHasAPlace") {
  for (const std::string& file : source_files(stele::tests::source_path(""))) {
    const Folder* const folder = folder_of(file);
    REQUIRE_MESSAGE(folder != nullptr, file);
    // A file in a new folder would otherwise count as the top of the house, which may include everything.
    CHECK_MESSAGE(file.find('/', folder->name.size()) == std::string::npos, file);
  }
}

TEST_CASE("IncludeEdges.WrongDirectionsAreRecognised") {
  const auto objects = [](std::string_view file, std::string_view line) {
    const auto include = include_in(line);
    REQUIRE(include.has_value());
    return !objection(file, *include).empty();
  };
  CHECK(objects("engine/log/frame.h", "#include \"engine/index/query.h\""));
  CHECK(objects("engine/base/ids.h", "  #  include \"api/http/http.h\""));
  CHECK(objects("engine/index/part.h", "#include \"engine/store/store.h\""));
  CHECK(objects("engine/commit/machine.h", "#include \"engine/recovery/decision_table.h\""));
  CHECK(objects("engine/store/store.h", "#include \"engine/live/event_hub.h\""));
  CHECK(objects("engine/store/store.cpp", "#include <simdjson.h>"));
  CHECK(objects("api/endpoint/endpoint_table.cpp", "#include \"net/server/server.h\""));
  CHECK(objects("api/endpoint/endpoint_table.cpp", "#include \"api/events/appender.h\""));
  CHECK(objects("api/endpoint/endpoint_table.cpp", "#include <boost/asio/post.hpp>"));
  CHECK(objects("api/events/appender.cpp", "#include \"engine/log/log_writer.h\""));
  CHECK(objects("net/http/request_reader.h", "#include \"net/server/session.h\""));
  CHECK(objects("net/server/server.cpp", "#include \"tools/commands/serve.h\""));
  CHECK(objects("net/server/server.cpp", "#include \"server.h\""));
  CHECK_FALSE(objects("engine/log/frame.h", "#include \"engine/base/ids.h\""));
  CHECK_FALSE(objects("engine/store/store.cpp", "#include \"engine/commit/machine.h\""));
  CHECK_FALSE(objects("api/endpoint/endpoint_table.cpp", "#include \"engine/store/store.h\""));
  CHECK_FALSE(objects("tools/main.cpp", "#include \"net/server/server.h\""));
}
