#include "tools/commands/verify.h"

#include <fmt/core.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/json/json_writer.h"
#include "engine/audit/checkpoint.h"
#include "engine/base/base64.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"
#include "engine/verify/log_verifier.h"
#include "tools/cli/columns.h"
#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/cli/progress.h"
#include "tools/cli/quantity.h"
#include "tools/cli/verdict_report.h"
#include "tools/client/answers.h"
#include "tools/client/note_file.h"
#include "tools/client/remote_log.h"
#include "tools/client/remote_verifier.h"
#include "tools/client/retry.h"
#include "tools/client/server_flags.h"
#include "tools/offline/log_trust.h"

namespace stele::tools {

namespace {

constexpr const char* kVerifyCommand = "stele verify";

struct VerifyFlags {
  std::string folder;  ///< empty: a server
  ServerFlags server;
  std::string key;
  std::string since;
  bool json = false;
  bool quiet = false;
  std::chrono::microseconds retry_for{std::chrono::seconds{30}};

  void declare(CommandLine& app) {
    app.add_text(
        "DIR", folder,
        "A data folder, of which log, tiles and checkpoints are verified; nothing in it is changed, and a server may "
        "use it. Without one: what the server at --url shows, for which --key is needed");
    server.declare(app);
    app.add_retry_for(retry_for);
    app.add_text("--key", key, "The log's verifier key, as `stele key show` prints it and as it was kept elsewhere")
        .type("VKEY")
        .group("What is trusted");
    app.add_text("--since", since,
                 "A checkpoint of this log that was kept elsewhere, or a file of --anchor: the newest in it")
        .type("FILE")
        .group("What is trusted");
    app.add_switch("--json", json, "The result as JSON").group("Output");
    app.add_switch("--quiet", quiet, "No progress").group("Output");
    app.footer(
        "The index and snapshots are not looked at: they follow from the log, and the server checks them itself.\n"
        "Verdicts: ok, damaged, rolled-back, redacted-without-record, forged, rewritten; of several the last of "
        "these.\n"
        "What came after the last checkpoint that was kept elsewhere can have been rewritten by whoever has the key.\n"
        "Exit status: 0 it holds, 3 it does not, 1 it could not be looked at, 2 wrong usage.");
  }
};

/// What has to be known to judge the verdict, and is no fault.
std::vector<std::string> caveats(const VerifyFlags& flags, const LogTrust& trust, const LogVerification& seen) {
  std::vector<std::string> words;
  if (flags.key.empty()) {
    words.emplace_back(seen.signatures_judged
                           ? "no --key was given: signatures were judged by the keys that the folder itself names, "
                             "which proves nothing "
                             "against whoever holds the folder"
                           : "no --key was given, and the log names none: signatures were not judged");
  } else if (!trust.names_trusted()) {
    words.emplace_back("the log does not name the key that was given");
  }
  if (seen.checkpoints == 0) {
    words.emplace_back("there is no signed checkpoint: the log may be another one than yesterday");
  } else if (flags.since.empty()) {
    words.emplace_back(
        "no checkpoint that was kept elsewhere was given (--since): whoever has the folder and the key can have "
        "rewritten all of it");
  }
  if (seen.checkpoints > 0 && seen.witnessed_checkpoints == 0) words.emplace_back("no checkpoint was witnessed");
  if (seen.beside_server) words.emplace_back("a server has the folder: read up to what it had made durable");
  words.insert(words.end(), seen.notes.begin(), seen.notes.end());
  return words;
}

std::string verification_json(const LogVerification& seen, const std::vector<std::string>& words) {
  std::string text;
  api::JsonWriter json(text);
  json.begin_object();
  json.key("verdict").plain(verdict_name(seen.findings.verdict()));
  json.key("storeId").plain(to_string(seen.store_id));
  json.key("origin").string(seen.origin);
  json.key("size").number(seen.size);
  json.key("root");
  if (seen.root) {
    json.plain(base64_encode(as_bytes(*seen.root)));
  } else {
    json.null();
  }
  json.key("segments").number(seen.segments);
  json.key("bytes").number(seen.bytes);
  json.key("unreadable").number(seen.unreadable);
  json.key("supposed").number(seen.supposed);
  json.key("redacted").number(seen.redacted);
  json.key("tileHashes").number(seen.tile_hashes);
  json.key("checkpoints").number(seen.checkpoints);
  json.key("agreeingCheckpoints").number(seen.agreeing_checkpoints);
  json.key("witnessedCheckpoints").number(seen.witnessed_checkpoints);
  json.key("provenSize").number(seen.proven.value_or(0));
  json.key("signaturesJudged").boolean(seen.signatures_judged);
  json.key("besideServer").boolean(seen.beside_server);
  write_findings(json, seen.findings);
  json.key("notes").begin_array();
  for (const std::string& word : words) json.string(word);
  json.end_array();
  json.end_object();
  return text + "\n";
}

std::string verification_text(const LogVerification& seen) {
  const Verdict verdict = seen.findings.verdict();
  std::vector<std::vector<std::string>> lines;
  lines.push_back({"verdict", fmt::format("{}: {}", verdict_name(verdict), meaning_of(verdict))});
  lines.push_back({"log", seen.origin.empty() ? "?" : seen.origin});
  std::string records = with_thousands(seen.size);
  if (seen.unreadable > 0) records += fmt::format(", {} of them not readable", with_thousands(seen.unreadable));
  if (seen.redacted > 0) records += fmt::format(", {} of them redacted", with_thousands(seen.redacted));
  lines.push_back({"records", records});
  lines.push_back({"root", seen.root ? base64_encode(as_bytes(*seen.root)) : "not known, leaves are missing"});
  lines.push_back({"checkpoints",
                   fmt::format("{}, {} of them agree, {} witnessed", with_thousands(seen.checkpoints),
                               with_thousands(seen.agreeing_checkpoints), with_thousands(seen.witnessed_checkpoints))});
  if (seen.tile_hashes > 0) lines.push_back({"tiles", with_thousands(seen.tile_hashes) + " hashes compared"});
  if (seen.supposed > 0) {
    lines.push_back(
        {"supposed", with_thousands(seen.supposed) + " leaves of records that cannot be read, from the tiles"});
  }
  lines.push_back(
      {"signed", seen.proven ? fmt::format("the first {} records", with_thousands(*seen.proven)) : "nothing"});
  std::string text = columns(lines);
  const std::string findings = finding_lines(seen.findings);
  return findings.empty() ? text : text + "\n" + findings;
}

int verify_folder(const VerifyFlags& flags, std::optional<NoteVerifier> key,
                  const std::optional<CheckpointFile>& since) {
  LogVerifierOptions options;
  options.folder = flags.folder;
  if (since) options.since = since->note;
  LogTrust trust(std::move(key));
  options.notices = &trust;
  Progress progress(flags.quiet ? Progress::Mode::Quiet : Progress::mode_for_stderr());
  options.on_progress = [&](std::uint64_t records, std::uint64_t bytes, std::uint64_t bytes_total) {
    progress.update({.events = records, .bytes = bytes, .bytes_total = bytes_total});
  };
  const auto seen = verify_log(options);
  progress.clear();
  if (!seen) {
    say("{}: {}\n", kVerifyCommand, seen.error().describe());
    return kExitFailure;
  }
  const std::vector<std::string> words = caveats(flags, trust, *seen);
  put(flags.json ? verification_json(*seen, words) : verification_text(*seen));
  if (!flags.json) {
    for (const std::string& word : words) say("{}: {}\n", kVerifyCommand, word);
  }
  const int written = finish_output(kVerifyCommand);
  return written != kExitOk ? written : exit_code_for(seen->findings.verdict());
}

std::string remote_json(const RemoteVerification& seen) {
  const Checkpoint& checkpoint = seen.checkpoint.checkpoint;
  std::string text;
  api::JsonWriter json(text);
  json.begin_object();
  json.key("verdict").plain(verdict_name(seen.findings.verdict()));
  json.key("origin").string(checkpoint.origin);
  json.key("size").number(checkpoint.size);
  json.key("root").plain(base64_encode(as_bytes(checkpoint.root)));
  json.key("leaves").number(seen.leaves);
  json.key("entries").number(seen.entries);
  json.key("cosignatures").number(seen.cosignatures);
  write_findings(json, seen.findings);
  json.key("notes").begin_array();
  for (const std::string& word : seen.notes) json.string(word);
  json.end_array();
  json.end_object();
  return text + "\n";
}

std::string remote_text(const RemoteVerification& seen) {
  const Verdict verdict = seen.findings.verdict();
  const Checkpoint& checkpoint = seen.checkpoint.checkpoint;
  const std::string text = columns(
      {{"verdict", fmt::format("{}: {}", verdict_name(verdict), meaning_of(verdict))},
       {"log", checkpoint.origin},
       {"signed", fmt::format("{} records", with_thousands(checkpoint.size))},
       {"root", base64_encode(as_bytes(checkpoint.root))},
       {"cosigned", seen.cosignatures == 0 ? "by no witness" : fmt::format("{} times, not judged", seen.cosignatures)},
       {"looked at",
        fmt::format("{} leaves, {} of them from entries", with_thousands(seen.leaves), with_thousands(seen.entries))}});
  const std::string findings = finding_lines(seen.findings);
  return findings.empty() ? text : text + "\n" + findings;
}

int verify_server(const VerifyFlags& flags, const std::optional<NoteVerifier>& key,
                  const std::optional<CheckpointFile>& since) {
  if (!key)
    return wrong_usage(kVerifyCommand, "a server is verified by a key that is trusted: give --key, or a folder");
  const auto client = flags.server.client();
  if (!client) return wrong_usage(kVerifyCommand, client.error().describe());
  Progress progress(flags.quiet ? Progress::Mode::Quiet : Progress::mode_for_stderr());
  RetryingSender server(**client, flags.retry_for, [&](const std::string& words) {
    progress.clear();
    say("{}: {}\n", kVerifyCommand, words);
  });
  RemoteLog log(server);
  auto seen = verify_remote_log(log, *key, since, [&](std::uint64_t records, std::uint64_t size) {
    progress.update({.events = records, .bytes = records, .bytes_total = size});
  });
  progress.clear();
  if (!seen) {
    say("{}: {}\n", kVerifyCommand, seen.error().describe());
    return kExitFailure;
  }
  if (!since)
    seen->notes.emplace_back(
        "no checkpoint that was kept was given (--since): the log may be another one than yesterday");
  put(flags.json ? remote_json(*seen) : remote_text(*seen));
  if (!flags.json) {
    for (const std::string& word : seen->notes) say("{}: {}\n", kVerifyCommand, word);
  }
  const int written = finish_output(kVerifyCommand);
  return written != kExitOk ? written : exit_code_for(seen->findings.verdict());
}

}  // namespace

int verify_command(int argc, const char* const* argv) {
  VerifyFlags flags;
  CommandLine app("verify",
                  "Verifies a log from its bytes: checksums, leaves, tree, and the checkpoints signed over it.");
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  std::optional<NoteVerifier> key;
  if (!flags.key.empty()) {
    auto parsed = NoteVerifier::parse(flags.key);
    if (!parsed) return wrong_usage(kVerifyCommand, "--key: " + parsed.error().message);
    key = std::move(*parsed);
  }
  std::optional<CheckpointFile> since;
  if (!flags.since.empty()) {
    auto held = read_kept_checkpoint(flags.since, key ? key->name() : std::string_view());
    if (!held) return wrong_usage(kVerifyCommand, "--since: " + held.error().describe());
    since = std::move(*held);
  }
  return flags.folder.empty() ? verify_server(flags, key, since) : verify_folder(flags, std::move(key), since);
}

}  // namespace stele::tools
