#include "api/audit/event_prover.h"

#include "api/audit/tree_refusal.h"
#include "api/json/json_writer.h"
#include "engine/audit/merkle_tree.h"
#include "engine/base/base64.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

/// Right after a start the tree may be behind for a moment.
constexpr std::chrono::milliseconds kTreeLookInterval{10};

std::string_view bytes_of_salt(const Salt& salt) { return {reinterpret_cast<const char*>(salt.data()), salt.size()}; }

/// What a member of the body adds to the leaf: its bytes and their salt, or the digest of both. What only the store may
/// see is shown as a digest.
void add_member(JsonWriter& json, const Record& record, BodyMember member, std::string_view name,
                std::optional<std::uint32_t> length) {
  if (!length) return;
  json.key(name).begin_object();
  const auto bytes = record.bytes_of(member);
  if (bytes && member != BodyMember::Private) {
    json.key("salt").plain(base64_encode(bytes_of_salt(*record.salt(member))));
    json.key("bytes").plain(base64_encode(*bytes));
  } else {
    json.key("digest").plain(base64_encode(as_bytes(record.member_digest(member))));
  }
  json.end_object();
}

}  // namespace

EventProver::EventProver(Store& store, CheckpointKeeper& keeper, Scheduler& scheduler, std::size_t waiters_max)
    : store_(store),
      keeper_(keeper),
      scheduler_(scheduler),
      waiters_(PositionWaiters::attach(keeper.covered(), scheduler, waiters_max)) {}

bool EventProver::wait_covered(Position position, std::chrono::milliseconds at_most,
                               PositionWaiters::Callback callback) {
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  return waiters_->wait(position, at_most,
                        [this, deadline, callback = std::move(callback)](PositionWaiters::Outcome outcome) {
                          when_tree_is_ready(deadline, outcome, callback);
                        });
}

void EventProver::when_tree_is_ready(std::chrono::steady_clock::time_point deadline, PositionWaiters::Outcome outcome,
                                     PositionWaiters::Callback callback) {
  const bool waits = outcome == PositionWaiters::Outcome::Reached && store_.tree().progress().rebuilding &&
                     !closing_.load() && std::chrono::steady_clock::now() < deadline;
  if (!waits) return callback(outcome);
  scheduler_.after(kTreeLookInterval, [this, deadline, outcome, callback = std::move(callback)] {
    when_tree_is_ready(deadline, outcome, callback);
  });
}

void EventProver::begin_shutdown() {
  closing_.store(true);
  waiters_->close();
}

std::variant<EventProver::Inclusion, Problem> EventProver::find_inclusion(Position position) {
  auto checkpoint = keeper_.newest();
  if (!checkpoint || checkpoint->checkpoint.size <= position.value()) {
    return Problem("not-yet-covered", "No signed checkpoint covers the event yet.").header("Retry-After", "1");
  }
  auto path = store_.tree().inclusion(position, checkpoint->checkpoint.size);
  if (!path) return tree_refusal(path.error(), store_.tree().progress());
  return Inclusion{std::move(checkpoint), std::move(*path)};
}

std::variant<std::string, Problem> EventProver::proof_json(const Record& record) {
  const RecordHeader& header = record.header();
  auto found = find_inclusion(header.position);
  if (auto* const problem = std::get_if<Problem>(&found)) return std::move(*problem);
  const Inclusion& inclusion = std::get<Inclusion>(found);
  const Digest body = record.body_digest();
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("eventId").plain(to_string(header.event_id)).key("index").number(header.position.value());
  json.key("treeSize").number(inclusion.checkpoint->checkpoint.size).key("hashes").begin_array();
  for (const Digest& hash : inclusion.path) json.plain(base64_encode(as_bytes(hash)));
  json.end_array().key("checkpoint").string(inclusion.checkpoint->note);
  json.key("leaf").begin_object();
  json.key("preimage").plain(base64_encode(std::string(record.header_bytes()).append(as_bytes(body))));
  json.key("leafHash").plain(base64_encode(as_bytes(leaf_hash(record.header_bytes(), body))));
  json.key("bodyDigest").plain(base64_encode(as_bytes(body)));
  json.key("members").begin_object();
  add_member(json, record, BodyMember::Data, "data", header.data_length);
  add_member(json, record, BodyMember::Metadata, "metadata", header.metadata_length);
  add_member(json, record, BodyMember::Private, "private", header.private_length);
  json.end_object().end_object().end_object();
  return text;
}

std::variant<std::string, Problem> EventProver::proof_file(const Record& record) {
  auto found = find_inclusion(record.header().position);
  if (auto* const problem = std::get_if<Problem>(&found)) return std::move(*problem);
  const Inclusion& inclusion = std::get<Inclusion>(found);
  std::string text = "c2sp.org/tlog-proof@v1\nindex " + std::to_string(record.header().position.value()) + "\n";
  for (const Digest& hash : inclusion.path) text += base64_encode(as_bytes(hash)) + "\n";
  return text + "\n" + inclusion.checkpoint->note;
}

}  // namespace stele::api
