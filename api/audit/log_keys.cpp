#include "api/audit/log_keys.h"

#include <simdjson.h>

#include <algorithm>

#include "api/endpoint/own_event_reader.h"
#include "api/endpoint/own_events.h"
#include "api/json/json_writer.h"
#include "engine/audit/signed_note.h"

namespace stele::api {

namespace {

constexpr std::string_view kKeyAggregateType = "$key";
constexpr std::string_view kKeyAdded = "$KeyAdded";
constexpr std::string_view kKeyRetired = "$KeyRetired";

/// What the key before signs.
std::string endorsement_text(std::string_view origin, const NoteVerifier& key) {
  return "stele/key/v1\n" + std::string(origin) + "\n" + key.vkey() + "\n";
}

RecordDraft key_event(std::string_view origin, std::string_view type, std::string data, const Clock& clock) {
  return own_event(own_aggregate_id(kKeyAggregatePrefix, origin), std::string(kKeyAggregateType), std::string(type),
                   std::move(data), Caller(), {}, clock);
}

/// The keys, by their numbers in `known`, that have endorsed `key` while they signed.
std::vector<std::size_t> endorsers_of(const std::vector<LogKey>& known, const NoteVerifier& key,
                                      std::string_view note_text) {
  const auto note = parse_note(note_text);
  if (!note || note->text != endorsement_text(key.name(), key)) return {};
  std::vector<NoteVerifier> signing;
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (known[i].until) continue;
    signing.push_back(known[i].verifier);
    numbers.push_back(i);
  }
  const auto by = verified_by(*note, signing);
  std::vector<std::size_t> endorsers;
  if (by) {
    for (const std::size_t which : *by) endorsers.push_back(numbers[which]);
  }
  return endorsers;
}

}  // namespace

void LogKeys::take(const RecordHeader& header, std::string_view data_text) {
  if (header.kind != RecordKind::Event || !header.aggregate_id.starts_with(kKeyAggregatePrefix)) return;
  simdjson::dom::parser parser;
  simdjson::dom::element data;
  std::string_view vkey;
  if (parser.parse(simdjson::padded_string(data_text)).get(data) != simdjson::SUCCESS ||
      data["vkey"].get(vkey) != simdjson::SUCCESS) {
    ++unreadable_;
    return;
  }
  auto verifier = NoteVerifier::parse(vkey);
  if (!verifier) {
    ++unreadable_;
    return;
  }
  const auto known =
      std::find_if(keys_.begin(), keys_.end(), [&](const LogKey& key) { return key.verifier == *verifier; });
  if (header.event_type == kKeyAdded && known == keys_.end()) {
    std::string_view endorsement;
    const bool has_one = data["endorsement"].get(endorsement) == simdjson::SUCCESS;
    std::vector<std::size_t> endorsers;
    if (has_one) endorsers = endorsers_of(keys_, *verifier, endorsement);
    const bool endorsed = keys_.empty() || !endorsers.empty();
    keys_.push_back({std::move(*verifier), header.position, std::nullopt, endorsed, std::move(endorsers)});
  } else if (header.event_type == kKeyRetired && known != keys_.end() && !known->until) {
    known->until = header.position;
  } else {
    ++unreadable_;
  }
}

Result<LogKeys> LogKeys::read(const ReadView& view) {
  LogKeys keys;
  STELE_TRY(each_own_event(view, std::string(kKeyAggregatePrefix), [&](const Record& record) { keys.take(record); }));
  return keys;
}

std::vector<NoteVerifier> LogKeys::valid_at(std::uint64_t size) const {
  std::vector<NoteVerifier> valid;
  for (const LogKey& key : keys_) {
    if (key.signs_at(size)) valid.push_back(key.verifier);
  }
  return valid;
}

RecordDraft key_added(std::string_view origin, const NoteVerifier& key, const NoteSigner* by, const Clock& clock) {
  std::string data;
  JsonWriter json(data);
  json.begin_object().key("vkey").string(key.vkey());
  if (by != nullptr) {
    SignedNote note{.text = endorsement_text(origin, key), .signatures = {}};
    sign_note(note, *by);
    json.key("endorsement").string(format_note(note));
  }
  json.end_object();
  return key_event(origin, kKeyAdded, std::move(data), clock);
}

RecordDraft key_retired(std::string_view origin, const NoteVerifier& key, const Clock& clock) {
  std::string data;
  JsonWriter(data).begin_object().key("vkey").string(key.vkey()).end_object();
  return key_event(origin, kKeyRetired, std::move(data), clock);
}

}  // namespace stele::api
