#include "tools/commands/audit_bundle.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "api/audit/event_bundle.h"
#include "api/http/percent.h"
#include "api/json/json_writer.h"
#include "tools/cli/columns.h"
#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/cli/quantity.h"
#include "tools/client/answers.h"
#include "tools/client/event_filters.h"
#include "tools/client/json_members.h"
#include "tools/client/line_reader.h"
#include "tools/client/problem.h"
#include "tools/client/remote_log.h"
#include "tools/client/retry.h"
#include "tools/client/server_flags.h"
#include "tools/offline/folder_bundle.h"

namespace stele::tools {

namespace {

namespace fs = std::filesystem;

constexpr const char* kBundleCommand = "stele audit bundle";
constexpr const char* kVerifyBundle = "stele verify-bundle";

struct BundleFlags {
  ServerFlags server;
  std::string data;  ///< a folder instead of a server; empty: none
  std::string aggregate;
  std::string from;
  std::string to;
  std::string file;
  std::chrono::microseconds retry_for{std::chrono::seconds{30}};

  void declare(CommandLine& app) {
    app.add_text("--aggregate", aggregate, "All events of this aggregate").type("ID").group("Which events");
    app.add_text("--from", from, "Stored at or after this time, RFC 3339").type("TIME").group("Which events");
    app.add_text("--to", to, "Stored before this time").type("TIME").group("Which events");
    app.add_text("--output,-o", file, "The file to write, - for stdout; a regular file that is there is replaced")
        .type("FILE")
        .required();
    server.declare(app);
    app.add_retry_for(retry_for);
    app.add_text("--data", data,
                 "Read this data folder instead of asking a server; nothing in it is changed, and a server may use it")
        .type("DIR")
        .group("Without a server");
    app.footer("`stele verify-bundle` verifies the file without a server.");
  }

  /// What they say of the events.
  [[nodiscard]] api::BundleHead chosen() const {
    api::BundleHead head{.from = from, .to = to};
    if (!aggregate.empty()) head.aggregate_id = aggregate;
    return head;
  }
};

/// Where a chain of symbolic links ends, there or not: rename() would replace the first of them.
std::string end_of_links(const std::string& file) {
  constexpr int kLinksMax = 40;  // as Linux follows them
  fs::path path = file;
  std::error_code failed;
  for (int links = 0; links < kLinksMax && fs::is_symlink(fs::symlink_status(path, failed)); ++links) {
    const fs::path target = fs::read_symlink(path, failed);
    if (failed) break;
    path = path.parent_path() / target;
  }
  return path.string();
}

/// A bundle that is being written. A regular file is replaced as a whole or not at all; what is none (a pipe, a device,
/// stdout) is written into.
class BundleFile {
 public:
  explicit BundleFile(std::string name) : is_stdout_(name == "-"), name_(std::move(name)) {}

  [[nodiscard]] Status open() {
    if (is_stdout_) return {};
    std::error_code failed;
    const fs::file_type type = fs::status(name_, failed).type();
    if (type == fs::file_type::none) return os_error(failed.value(), "cannot write", name_);
    if (type == fs::file_type::directory) return os_error(EISDIR, "cannot write", name_);
    if (type == fs::file_type::regular || type == fs::file_type::not_found) {
      name_ = end_of_links(name_);
      unfinished_ = name_ + ".unfinished";
    }
    to_.open(written_name(), std::ios::binary | std::ios::trunc);
    return status();
  }
  [[nodiscard]] Status add(std::string_view line) {
    if (is_stdout_) {
      put(line);
      put("\n");
    } else {
      to_ << line << '\n';
    }
    return status();
  }
  /// Gives it its name.
  [[nodiscard]] Status finish() {
    if (is_stdout_) {
      (void)flush_output();
      return status();
    }
    to_.close();
    STELE_TRY(status());
    if (unfinished_.empty() || std::rename(unfinished_.c_str(), name_.c_str()) == 0) return {};
    return os_error(errno, "cannot rename it to " + name_, unfinished_);
  }
  /// Never half a bundle under the name that was asked for.
  void give_up() {
    to_.close();
    if (!unfinished_.empty()) (void)std::remove(unfinished_.c_str());
  }

 private:
  [[nodiscard]] const std::string& written_name() const { return unfinished_.empty() ? name_ : unfinished_; }
  [[nodiscard]] Status status() const {
    if (is_stdout_ ? !output_failed() : to_.good()) return {};
    return Error{.kind = ErrorKind::Io, .message = "cannot write", .file = is_stdout_ ? "stdout" : written_name()};
  }

  const bool is_stdout_;
  std::string name_;
  std::string unfinished_;  ///< what it is called until it is whole; empty if it is written into
  std::ofstream to_;
};

/// Writes a bundle of what the server lists.
class ServerBundle {
 public:
  ServerBundle(const BundleFlags& flags, HttpClient& listing, HttpClient& proving, BundleFile& to)
      : flags_(flags),
        listing_(listing),
        proving_(proving, flags.retry_for, [](const std::string& words) { say("{}: {}\n", kBundleCommand, words); }),
        to_(to) {}

  Status run() {
    STELE_TRY(write_head());
    EventTarget target("/v1/events");
    target.add("aggregateId", flags_.aggregate);
    target.add("from", flags_.from);
    target.add("to", flags_.to);
    HttpRequest request;
    request.target = target.text();
    request.headers.emplace_back("Accept", "application/x-ndjson");
    STELE_ASSIGN(const HttpResponse response,
                 listing_.stream(request, [this](std::string_view piece) { return take(piece); }));
    if (response.status != 200) return refused(response);
    if (!failure_ && !rest_.empty()) failure_ = write_proof(rest_);
    STELE_TRY(std::move(failure_));
    return to_.add(api::bundle_end_line(events_));
  }
  [[nodiscard]] std::uint64_t events() const { return events_; }

 private:
  static Error refused(const HttpResponse& response) {
    return Error{.kind = ErrorKind::Unsupported, .message = "refused: " + read_problem(response).describe()};
  }

  Status write_head() {
    STELE_ASSIGN(const CheckpointFile newest, RemoteLog(proving_).checkpoint());
    api::BundleHead head = flags_.chosen();
    head.origin = newest.checkpoint.origin;
    STELE_ASSIGN(const HttpResponse keys, proving_.send({.target = "/log/keys"}));
    if (keys.status != 200) return refused(keys);
    for (const std::string_view key : JsonMembers(keys.body).list("keys")) {
      head.vkeys.push_back(JsonMembers(key).text("vkey"));
    }
    return to_.add(api::bundle_head_line(head));
  }

  /// False ends the list early.
  bool take(std::string_view piece) {
    while (!piece.empty()) {
      const auto newline = piece.find('\n');
      rest_.append(piece.substr(0, newline));
      if (newline == std::string_view::npos) return true;
      piece.remove_prefix(newline + 1);
      failure_ = write_proof(std::exchange(rest_, {}));
      if (!failure_) return false;
    }
    return true;
  }

  Status write_proof(const std::string& event) {
    std::string target = "/v1/events/";
    api::append_percent_encoded(target, JsonMembers(event).text("eventId"));
    STELE_ASSIGN(const HttpResponse proof, proving_.send({.target = target + "/proof?wait=checkpoint"}));
    if (proof.status != 200) return refused(proof);
    STELE_TRY(to_.add(proof.body));
    ++events_;
    return {};
  }

  const BundleFlags& flags_;
  HttpClient& listing_;
  RetryingSender proving_;
  BundleFile& to_;
  std::string rest_;
  Status failure_;
  std::uint64_t events_ = 0;
};

/// How many events are in it.
Result<std::uint64_t> bundle_of_server(const BundleFlags& flags, HttpClient& listing, HttpClient& proving,
                                       BundleFile& to) {
  ServerBundle bundle(flags, listing, proving, to);
  STELE_TRY(bundle.run());
  return bundle.events();
}

Result<std::uint64_t> bundle_of_folder(const BundleFlags& flags, BundleFile& to) {
  STELE_ASSIGN(const auto bundle, FolderBundle::open(flags.data));
  STELE_TRY(bundle->write(flags.chosen(), [&](std::string_view line) { return to.add(line); }));
  if (bundle->uncovered() > 0) {
    say("{}: left out {} events that no signed checkpoint covers yet\n", kBundleCommand,
        with_thousands(bundle->uncovered()));
  }
  return bundle->events();
}

}  // namespace

int audit_bundle_command(int argc, const char* const* argv) {
  BundleFlags flags;
  CommandLine app("audit bundle", "Writes events, what proves them, checkpoint and keys into one file.");
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  if (flags.aggregate.empty() == (flags.from.empty() && flags.to.empty())) {
    return wrong_usage(kBundleCommand, "say which events: --aggregate, or --from and --to");
  }
  const auto listing = flags.server.client();
  if (!listing) return wrong_usage(kBundleCommand, listing.error().describe());
  const auto proving = flags.server.client();
  if (!proving) return wrong_usage(kBundleCommand, proving.error().describe());
  BundleFile file(flags.file);
  const auto make = [&]() -> Result<std::uint64_t> {
    STELE_TRY(file.open());
    STELE_ASSIGN(const std::uint64_t events, flags.data.empty() ? bundle_of_server(flags, **listing, **proving, file)
                                                                : bundle_of_folder(flags, file));
    STELE_TRY(file.finish());
    return events;
  };
  const auto made = make();
  if (!made) {
    file.give_up();
    say("{}: {}\n", kBundleCommand, made.error().describe());
    return kExitFailure;
  }
  say("{} events are in {}\n", with_thousands(*made), flags.file == "-" ? "stdout" : flags.file);
  return kExitOk;
}

int verify_bundle_command(int argc, const char* const* argv) {
  std::string file;
  std::vector<std::string> vkeys;
  bool as_json = false;
  CommandLine app("verify-bundle", "Verifies a bundle of events. Needs no server and no folder.");
  app.add_text("FILE", file, "As `stele audit bundle` has written it").required();
  app.add_texts("--key", vkeys, "VKEY", "The log's verifier key, as it was kept elsewhere; any of several")
      .required()
      .group("What is trusted");
  app.add_switch("--json", as_json, "The result as JSON").group("Output");
  app.footer("Exit status: 0 it holds, 3 it does not, 1 failure, 2 wrong usage.");
  if (const auto code = app.parse(argc, argv)) return *code;
  std::vector<NoteVerifier> keys;
  for (const std::string& vkey : vkeys) {
    auto key = NoteVerifier::parse(vkey);
    if (!key) return wrong_usage(kVerifyBundle, "--key: " + key.error().message);
    keys.push_back(std::move(*key));
  }
  const auto reader = LineReader::open(file, api::kBundleLineBytesMax);
  if (!reader) return wrong_usage(kVerifyBundle, reader.error().describe());

  api::BundleVerifier bundle(std::move(keys));
  const auto verify = [&]() -> Status {
    for (Line line;;) {
      STELE_ASSIGN(const bool has_more, (*reader)->next(line));
      if (!has_more) return bundle.finish();
      if (line.too_long) return Error{.kind = ErrorKind::InvalidArgument, .message = "a line is too long"};
      STELE_TRY(bundle.take(line.text));
    }
  };
  const Status status = verify();
  if (!status && status.error().kind != ErrorKind::Corrupt && status.error().kind != ErrorKind::InvalidArgument) {
    say("{}: {}\n", kVerifyBundle, status.error().describe());
    return kExitFailure;
  }
  const api::BundleHead& head = bundle.head();
  if (as_json) {
    std::string text;
    api::JsonWriter json(text);
    json.begin_object().key("holds").boolean(status.has_value());
    if (!status) json.key("reason").string(status.error().message);
    json.key("origin").string(head.origin).key("events").number(bundle.events());
    json.key("treeSize").number(bundle.tree_size()).key("redacted").number(bundle.redacted());
    if (head.aggregate_id) {
      json.key("aggregateId").string(*head.aggregate_id).key("completeTo").number(bundle.complete_to());
    }
    json.end_object();
    put(text + "\n");
  } else if (!status) {
    put("it does not hold: " + status.error().message + "\n");
  } else {
    std::vector<std::vector<std::string>> lines{{"result", "it holds"},
                                                {"log", head.origin},
                                                {"events", with_thousands(bundle.events())},
                                                {"signed at", with_thousands(bundle.tree_size()) + " records"}};
    if (bundle.redacted() > 0) lines.push_back({"redacted", with_thousands(bundle.redacted())});
    if (head.aggregate_id) {
      const std::string numbers = bundle.complete_to() > 0
                                      ? "all numbers from 1 to " + std::to_string(bundle.complete_to())
                                      : "some numbers are missing";
      lines.push_back({"aggregate", *head.aggregate_id + ": " + numbers});
    }
    put(columns(lines));
  }
  const int written = finish_output(kVerifyBundle);
  if (written != kExitOk) return written;
  return status ? kExitOk : kExitDoesNotHold;
}

}  // namespace stele::tools
