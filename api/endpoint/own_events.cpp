#include "api/endpoint/own_events.h"

#include <utility>

#include "api/endpoint/store_refusal.h"
#include "api/json/hex.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

constexpr std::string_view kDigestMark = "sha256:";

/// Whether a character begins at `at`, so that UTF-8 may be cut there.
bool begins_character(std::string_view text, std::size_t at) {
  return (static_cast<unsigned char>(text[at]) & 0xC0U) != 0x80U;
}

}  // namespace

std::string own_aggregate_id(std::string_view prefix, std::string_view name) {
  std::string id(prefix);
  if (prefix.size() + name.size() <= kStringBytesMax) return id += name;
  std::size_t kept = kStringBytesMax - prefix.size() - kDigestMark.size() - 2 * sizeof(Digest);
  while (kept > 0 && !begins_character(name, kept)) --kept;
  id += name.substr(0, kept);
  id += kDigestMark;
  append_hex(id, as_bytes(sha256({name.substr(kept)})));
  return id;
}

RecordDraft own_event(std::string aggregate_id, std::string aggregate_type, std::string event_type, std::string data,
                      const Caller& caller, const std::string& correlation, const Clock& clock) {
  RecordDraft draft;
  draft.event_id = make_uuid_v7(clock);
  draft.aggregate_id = std::move(aggregate_id);
  draft.aggregate_type = std::move(aggregate_type);
  draft.event_type = std::move(event_type);
  if (!caller.name().empty()) draft.principal = caller.name();
  draft.correlation_id = correlation.empty() ? to_string(make_uuid_v7(clock)) : correlation;
  draft.data = std::move(data);
  draft.seal();
  return draft;
}

std::variant<OwnEventPlace, Problem> append_own_event(Store& store, RecordDraft event) {
  std::vector<RecordDraft> events;
  events.push_back(std::move(event));
  return append_own_events(store, std::move(events));
}

std::variant<OwnEventPlace, Problem> append_own_events(Store& store, std::vector<RecordDraft> events) {
  Proposal proposal;
  for (RecordDraft& event : events) proposal.events.push_back(std::move(event));
  const AppendOutcome outcome = store.append_and_wait(std::move(proposal));
  if (outcome.kind != AppendOutcome::Kind::Stored) return store_refusal(outcome.kind);
  return OwnEventPlace{outcome.first, outcome.placed.front().sequence, outcome.time};
}

}  // namespace stele::api
