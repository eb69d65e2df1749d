#include "engine/commit/proposal_codec.h"

#include <algorithm>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/log/record_extensions.h"

namespace stele {
namespace {

constexpr std::uint32_t kProposalMagic = 0x4f525053;  // "SPRO"
constexpr std::uint8_t kProposalVersion = 1;

enum ProposalFlag : std::uint8_t { kIsList = 1U << 0, kHasAfter = 1U << 1, kHasSchemaChange = 1U << 2 };
enum DraftFlag : std::uint8_t { kGaveUserId = 1U << 0, kHasExpectedSequence = 1U << 1 };

Error corrupt_proposal(const char* what) {
  return Error{.kind = ErrorKind::Corrupt, .message = std::string("proposal: ") + what};
}

void put_short(std::string& to, std::string_view text) {
  STELE_CHECK(text.size() <= UINT16_MAX);
  put<std::uint16_t>(to, static_cast<std::uint16_t>(text.size()));
  to += text;
}

void put_texts(std::string& to, const std::vector<std::string>& texts) {
  put<std::uint32_t>(to, static_cast<std::uint32_t>(texts.size()));
  for (const std::string& text : texts) put_short(to, text);
}

std::string take_text(ByteReader& in) { return std::string(in.take_bytes(in.take<std::uint16_t>())); }

/// Takes a list whose elements have at least `bytes_min` bytes each; a count that cannot be fails the reader.
template <class T, class Take>
std::vector<T> take_list(ByteReader& in, std::size_t bytes_min, Take take) {
  const auto count = in.take<std::uint32_t>();
  std::vector<T> list;
  if (count > in.left() / bytes_min) {
    (void)in.take_bytes(in.left() + 1);
    return list;
  }
  list.reserve(count);
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) list.push_back(take(in));
  return list;
}

std::vector<std::string> take_texts(ByteReader& in) {
  return take_list<std::string>(in, sizeof(std::uint16_t), [](ByteReader& from) { return take_text(from); });
}

void put_condition(std::string& to, const Condition& condition) {
  put<std::uint64_t>(to, condition.after ? condition.after->value() : 0);
  put<std::uint32_t>(to, static_cast<std::uint32_t>(condition.aggregates.size()));
  for (const AggregateCondition& wanted : condition.aggregates) {
    put_short(to, wanted.aggregate_id);
    put<std::uint8_t>(to, wanted.last ? 1 : 0);
    put<std::uint64_t>(to, wanted.last ? wanted.last->value() : 0);
  }
  put<std::uint32_t>(to, static_cast<std::uint32_t>(condition.fail_if_events_match.size()));
  for (const EventMatch& match : condition.fail_if_events_match) {
    for (const auto* const list :
         {&match.event_types, &match.aggregate_types, &match.aggregate_ids, &match.user_ids, &match.tags}) {
      put_texts(to, *list);
    }
  }
  put_texts(to, condition.default_aggregate_types);
}

/// False if it has a value that encode_proposal() does not write.
bool take_condition(ByteReader& in, bool has_after, Condition& condition) {
  bool sound = true;
  const auto after = in.take<std::uint64_t>();
  if (has_after) condition.after = Position{after};
  sound = sound && (has_after || after == 0);
  condition.aggregates = take_list<AggregateCondition>(in, 11, [&](ByteReader& from) {
    AggregateCondition wanted{take_text(from), std::nullopt};
    const auto has_last = from.take<std::uint8_t>();
    const auto last = from.take<std::uint64_t>();
    if (has_last == 1) wanted.last = SequenceNumber{last};
    sound = sound && (has_last == 1 || (has_last == 0 && last == 0));
    return wanted;
  });
  condition.fail_if_events_match = take_list<EventMatch>(in, 20, [](ByteReader& from) {
    EventMatch match;
    for (auto* const list :
         {&match.event_types, &match.aggregate_types, &match.aggregate_ids, &match.user_ids, &match.tags}) {
      *list = take_texts(from);
    }
    return match;
  });
  condition.default_aggregate_types = take_texts(in);
  return sound;
}

/// As the record that it becomes, without what only the committer knows.
void put_draft(std::string& to, const RecordDraft& draft) {
  RecordHeader header = draft.header();
  header.sequence = draft.expected_sequence.value_or(SequenceNumber{0});
  put<std::uint8_t>(to, static_cast<std::uint8_t>((draft.user_id ? kGaveUserId : 0) |
                                                  (draft.expected_sequence ? kHasExpectedSequence : 0)));
  append_record(to, header, draft.seed, draft.body());
}

std::optional<std::string> copy_of(const std::optional<std::string_view>& text) {
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

Result<RecordDraft> draft_of(const Record& record, std::uint8_t flags) {
  const RecordHeader& header = record.header();
  RecordDraft draft;
  draft.kind = header.kind;
  draft.event_id = header.event_id;
  draft.given = header.given;
  draft.given.aggregate_type = false;  // is what aggregate_type says
  draft.aggregate_id = header.aggregate_id;
  draft.aggregate_type = copy_of(header.aggregate_type);
  draft.event_type = header.event_type;
  draft.principal = copy_of(header.principal);
  if ((flags & kGaveUserId) != 0) draft.user_id = copy_of(header.user_id);
  draft.correlation_id = copy_of(header.correlation_id);
  draft.causation_id = copy_of(header.causation_id);
  draft.schema_version = header.schema_version;
  draft.occurred_at = header.occurred_at;
  if ((flags & kHasExpectedSequence) != 0) draft.expected_sequence = header.sequence;
  draft.tags.assign(header.tags.begin(), header.tags.end());
  draft.outcome = header.outcome;
  draft.retention_class = header.retention_class;
  draft.resource = copy_of(header.resource);
  draft.data = copy_of(record.body().data);
  draft.metadata = copy_of(record.body().metadata);
  draft.private_fields = copy_of(record.body().private_fields);
  draft.seed = record.seed();
  draft.body_digest = record.body_digest();
  draft.id_uuids = header.id_uuids;
  draft.extensions = encode_extensions(draft.tags, draft.resource);
  const bool for_the_committer = header.kind != RecordKind::Genesis && !header.aggregate_id.empty() &&
                                 !header.event_type.empty() && (header.kind == RecordKind::Action || !draft.resource);
  if (!for_the_committer) return corrupt_proposal("a record that cannot be proposed");
  return draft;
}

Result<std::vector<RecordDraft>> take_drafts(ByteReader& in, std::uint32_t count) {
  std::vector<RecordDraft> drafts;
  Record record;
  std::string again;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto flags = in.take<std::uint8_t>();
    const std::string_view frame = in.take_bytes(kRecordFrameBytes);
    STELE_ASSIGN(const std::uint32_t length, record_length(frame));
    (void)in.take_bytes(length - kRecordFrameBytes);
    if (!in.ok()) return corrupt_proposal("cut off in a record");
    const std::string_view bytes(frame.data(), length);
    std::copy(bytes.begin(), bytes.end(), record.prepare(length).data());
    STELE_TRY(record.decode());
    if (record.any_redacted()) return corrupt_proposal("a redacted record");
    STELE_ASSIGN(RecordDraft draft, draft_of(record, flags));
    // Whatever a draft cannot hold would be lost without a word.
    again.clear();
    put_draft(again, draft);
    if (static_cast<std::uint8_t>(again[0]) != flags || std::string_view(again).substr(1) != bytes) {
      return corrupt_proposal("a record with members that a proposal does not have");
    }
    drafts.push_back(std::move(draft));
  }
  return drafts;
}

bool distinct_ids(const std::vector<RecordDraft>& drafts) {
  std::vector<Uuid> ids;
  ids.reserve(drafts.size());
  for (const RecordDraft& draft : drafts) ids.push_back(draft.event_id);
  std::sort(ids.begin(), ids.end());
  return std::adjacent_find(ids.begin(), ids.end()) == ids.end();
}

}  // namespace

std::string encode_proposal(const Proposal& proposal) {
  std::string bytes;
  put<std::uint32_t>(bytes, kProposalMagic);
  put<std::uint8_t>(bytes, kProposalVersion);
  put<std::uint8_t>(
      bytes, static_cast<std::uint8_t>((proposal.is_list ? kIsList : 0) | (proposal.condition.after ? kHasAfter : 0) |
                                       (proposal.schema_change ? kHasSchemaChange : 0)));
  put<std::uint16_t>(bytes, static_cast<std::uint16_t>(proposal.events.size()));
  put<std::uint16_t>(bytes, static_cast<std::uint16_t>(proposal.attached.size()));
  put<std::uint64_t>(bytes, proposal.schema_change ? proposal.schema_change->value() : 0);
  put_condition(bytes, proposal.condition);
  for (std::size_t i = 0; i < proposal.record_count(); ++i) put_draft(bytes, proposal.record(i));
  put<std::uint64_t>(bytes, xxh3(bytes));
  return bytes;
}

Result<Proposal> decode_proposal(std::string_view bytes) {
  if (bytes.size() < sizeof(std::uint64_t)) return corrupt_proposal("too short");
  const std::string_view content = bytes.substr(0, bytes.size() - sizeof(std::uint64_t));
  ByteReader in(content);
  if (in.take<std::uint32_t>() != kProposalMagic) return corrupt_proposal("not one");
  if (in.take<std::uint8_t>() != kProposalVersion) {
    return Error{.kind = ErrorKind::NewerFormat, .message = "proposal: unknown version"};
  }
  if (get_at<std::uint64_t>(content.data() + content.size()) != xxh3(content))
    return corrupt_proposal("checksum mismatch");
  const auto flags = in.take<std::uint8_t>();
  if ((flags & ~(kIsList | kHasAfter | kHasSchemaChange)) != 0) return corrupt_proposal("unknown flags");
  const std::uint32_t events = in.take<std::uint16_t>();
  const std::uint32_t attached = in.take<std::uint16_t>();
  if (events + attached == 0 || events + attached > UINT16_MAX) return corrupt_proposal("impossible number of records");
  Proposal proposal;
  proposal.is_list = (flags & kIsList) != 0;
  const auto schema_change = in.take<std::uint64_t>();
  if ((flags & kHasSchemaChange) != 0) proposal.schema_change = Position{schema_change};
  if (schema_change != 0 && !proposal.schema_change) return corrupt_proposal("a change of schemas without its flag");
  if (!take_condition(in, (flags & kHasAfter) != 0, proposal.condition) || !in.ok()) {
    return corrupt_proposal("malformed condition");
  }
  STELE_ASSIGN(proposal.events, take_drafts(in, events));
  STELE_ASSIGN(proposal.attached, take_drafts(in, attached));
  if (!in.at_end()) return corrupt_proposal("bytes behind its end");
  if (!distinct_ids(proposal.events)) return corrupt_proposal("two events with one id");
  const bool no_action = std::all_of(proposal.events.begin(), proposal.events.end(),
                                     [](const RecordDraft& draft) { return draft.kind == RecordKind::Event; });
  if (!no_action) return corrupt_proposal("an action among the events");
  return proposal;
}

}  // namespace stele
