#include "tools/commands/verify_proof.h"

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/audit/event_proof.h"
#include "api/json/json_writer.h"
#include "api/json/timestamp.h"
#include "engine/audit/merkle_proof.h"
#include "engine/base/base64.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"
#include "tools/cli/columns.h"
#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/client/answers.h"
#include "tools/client/note_file.h"

namespace stele::tools {

namespace {

constexpr const char* kVerifyProof = "stele verify-proof";
constexpr const char* kVerifyConsistency = "stele verify-consistency";
constexpr const char* kHolds = "it holds";

/// The result of a command that says whether something holds; `lines` are shown only if it does.
int tell_result(const char* command, const Status& status, bool as_json,
                const std::function<void(api::JsonWriter&)>& write_members,
                const std::vector<std::vector<std::string>>& lines) {
  if (as_json) {
    std::string text;
    api::JsonWriter json(text);
    json.begin_object().key("holds").boolean(status.has_value());
    if (!status) json.key("reason").string(status.error().message);
    if (status) write_members(json);
    json.end_object();
    put(text + "\n");
  } else if (status) {
    put(columns(lines));
  } else {
    put("it does not hold: " + status.error().message + "\n");
  }
  const int written = finish_output(command);
  if (written != kExitOk) return written;
  return status ? kExitOk : kExitDoesNotHold;
}

struct KeyFlag {
  std::vector<std::string> vkeys;

  void declare(CommandLine& app) {
    app.add_texts("--key", vkeys, "VKEY", "The log's verifier key, as it was kept elsewhere; any of several")
        .required()
        .group("What is trusted");
  }
  [[nodiscard]] Result<std::vector<NoteVerifier>> keys() const {
    std::vector<NoteVerifier> keys;
    for (const std::string& vkey : vkeys) {
      STELE_ASSIGN(NoteVerifier key, NoteVerifier::parse(vkey));
      keys.push_back(std::move(key));
    }
    return keys;
  }
};

}  // namespace

int verify_proof_command(int argc, const char* const* argv) {
  std::string file;
  std::string entry_file;
  bool as_json = false;
  KeyFlag key;
  CommandLine app("verify-proof", "Verifies that a record stands in a signed log. Needs no server and no folder.");
  app.add_text("FILE", file, "A proof: the JSON of /v1/events/{eventId}/proof, or a tlog-proof file").required();
  key.declare(app);
  app.add_text("--entry", entry_file,
               "The record's entry (header and body digest), or a JSON proof of it; a tlog-proof file has none")
      .type("FILE")
      .group("What is proven");
  app.add_switch("--json", as_json, "The result as JSON").group("Output");
  app.footer("Exit status: 0 it holds, 3 it does not, 1 failure, 2 wrong usage.");
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto keys = key.keys();
  if (!keys) return wrong_usage(kVerifyProof, "--key: " + keys.error().message);
  const auto text = read_file(file);
  if (!text) return unusable_input(kVerifyProof, text.error());
  const auto proof = api::read_event_proof(*text);
  if (!proof) return wrong_usage(kVerifyProof, file + ": " + proof.error().message);
  std::optional<api::ProvenLeaf> leaf = proof->leaf;
  if (!entry_file.empty()) {
    const auto entry = read_file(entry_file);
    if (!entry) return unusable_input(kVerifyProof, entry.error());
    auto read = api::read_proven_leaf(*entry);
    if (!read) return wrong_usage(kVerifyProof, entry_file + ": " + read.error().message);
    leaf = std::move(*read);
  }
  if (!leaf) return wrong_usage(kVerifyProof, "a tlog-proof file does not say what it proves: give --entry");

  Record record;
  const Status status = api::verify_event_proof(*proof, *leaf, *keys, record);
  if (!status) return tell_result(kVerifyProof, status, as_json, {}, {});
  const RecordHeader& header = record.header();
  const std::string hash = base64_encode(as_bytes(*api::leaf_of(*leaf, record)));
  const std::string time = api::format_timestamp(header.time);
  const auto write_members = [&](api::JsonWriter& json) {
    json.key("origin").string(proof->checkpoint.origin).key("treeSize").number(proof->checkpoint.size);
    json.key("position").number(header.position.value()).key("leafHash").plain(hash);
    json.key("eventId").plain(to_string(header.event_id)).key("eventType").string(header.event_type);
    json.key("aggregateId").string(header.aggregate_id).key("sequenceNumber").number(header.sequence.value());
    json.key("timestamp").plain(time);
    if (header.user_id) json.key("userId").string(*header.user_id);
  };
  return tell_result(
      kVerifyProof, status, as_json, write_members,
      {{"result", kHolds},
       {"log", proof->checkpoint.origin},
       {"position", std::to_string(header.position.value())},
       {"signed at", std::to_string(proof->checkpoint.size) + " records"},
       {"event", to_string(header.event_id)},
       {"type", std::string(header.event_type)},
       {"aggregate", std::string(header.aggregate_id) + " number " + std::to_string(header.sequence.value())},
       {"time", time},
       {"user", std::string(header.user_id.value_or("-"))},
       {"leaf", hash}});
}

int verify_consistency_command(int argc, const char* const* argv) {
  std::string from_file;
  std::string to_file;
  std::string proof_file;
  bool as_json = false;
  KeyFlag key;
  CommandLine app("verify-consistency",
                  "Verifies that a signed log continues an earlier state of itself. Needs no server and no folder.");
  app.add_text("--from", from_file, "The earlier checkpoint").type("FILE").required();
  app.add_text("--to", to_file, "The later checkpoint").type("FILE").required();
  app.add_text("--proof", proof_file, "The JSON of /v1/audit/consistency, or lines of base64").type("FILE").required();
  key.declare(app);
  app.add_switch("--json", as_json, "The result as JSON").group("Output");
  app.footer("Exit status: 0 it holds, 3 it does not, 1 failure, 2 wrong usage.");
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto keys = key.keys();
  if (!keys) return wrong_usage(kVerifyConsistency, "--key: " + keys.error().message);
  const auto from = read_checkpoint_file(from_file);
  if (!from) return wrong_usage(kVerifyConsistency, "--from: " + from.error().describe());
  const auto to = read_checkpoint_file(to_file);
  if (!to) return wrong_usage(kVerifyConsistency, "--to: " + to.error().describe());
  const auto text = read_file(proof_file);
  if (!text) return unusable_input(kVerifyConsistency, text.error());
  const auto path = api::read_consistency_proof(*text);
  if (!path) return wrong_usage(kVerifyConsistency, proof_file + ": " + path.error().message);

  const auto verify = [&]() -> Status {
    STELE_TRY(api::verify_checkpoint_note(from->note, from->checkpoint, *keys));
    STELE_TRY(api::verify_checkpoint_note(to->note, to->checkpoint, *keys));
    if (from->checkpoint.origin != to->checkpoint.origin) {
      return Error{.kind = ErrorKind::Corrupt, .message = "the checkpoints are of two logs"};
    }
    return verify_consistency(from->checkpoint.size, to->checkpoint.size, *path, from->checkpoint.root,
                              to->checkpoint.root);
  };
  const auto write_members = [&](api::JsonWriter& json) {
    json.key("origin").string(to->checkpoint.origin).key("from").number(from->checkpoint.size);
    json.key("to").number(to->checkpoint.size);
  };
  return tell_result(kVerifyConsistency, verify(), as_json, write_members,
                     {{"result", kHolds},
                      {"log", to->checkpoint.origin},
                      {"from", std::to_string(from->checkpoint.size) + " records"},
                      {"to", std::to_string(to->checkpoint.size) + " records"}});
}

}  // namespace stele::tools
