#include "engine/commit/proposal_codec.h"

#include <doctest/doctest.h>

#include <functional>
#include <random>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "tests/support/sample_proposal.h"

using namespace stele;

namespace {

void check_same(const RecordDraft& got, const RecordDraft& wanted) {
  CHECK(got.kind == wanted.kind);
  CHECK(got.event_id == wanted.event_id);
  CHECK(got.given == wanted.given);
  CHECK(got.aggregate_id == wanted.aggregate_id);
  CHECK(got.aggregate_type == wanted.aggregate_type);
  CHECK(got.event_type == wanted.event_type);
  CHECK(got.user_id == wanted.user_id);
  CHECK(got.principal == wanted.principal);
  CHECK(got.correlation_id == wanted.correlation_id);
  CHECK(got.causation_id == wanted.causation_id);
  CHECK(got.schema_version == wanted.schema_version);
  CHECK(got.occurred_at == wanted.occurred_at);
  CHECK(got.expected_sequence == wanted.expected_sequence);
  CHECK(got.tags == wanted.tags);
  CHECK(got.outcome == wanted.outcome);
  CHECK(got.retention_class == wanted.retention_class);
  CHECK(got.resource == wanted.resource);
  CHECK(got.data == wanted.data);
  CHECK(got.metadata == wanted.metadata);
  CHECK(got.private_fields == wanted.private_fields);
  if (wanted.data || wanted.metadata || wanted.private_fields) CHECK(got.seed == wanted.seed);
  CHECK(got.body_digest == wanted.body_digest);
  CHECK(got.extensions == wanted.extensions);
}

void check_same(const Proposal& got, const Proposal& wanted) {
  CHECK(got.is_list == wanted.is_list);
  CHECK(got.schema_change == wanted.schema_change);
  REQUIRE(got.events.size() == wanted.events.size());
  REQUIRE(got.attached.size() == wanted.attached.size());
  for (std::size_t i = 0; i < wanted.record_count(); ++i) check_same(got.record(i), wanted.record(i));
  const Condition &condition = got.condition, &sent = wanted.condition;
  CHECK(condition.after == sent.after);
  CHECK(condition.default_aggregate_types == sent.default_aggregate_types);
  REQUIRE(condition.aggregates.size() == sent.aggregates.size());
  for (std::size_t i = 0; i < sent.aggregates.size(); ++i) {
    CHECK(condition.aggregates[i].aggregate_id == sent.aggregates[i].aggregate_id);
    CHECK(condition.aggregates[i].last == sent.aggregates[i].last);
  }
  REQUIRE(condition.fail_if_events_match.size() == sent.fail_if_events_match.size());
  for (std::size_t i = 0; i < sent.fail_if_events_match.size(); ++i) {
    const EventMatch &match = condition.fail_if_events_match[i], &other = sent.fail_if_events_match[i];
    CHECK(match.event_types == other.event_types);
    CHECK(match.aggregate_types == other.aggregate_types);
    CHECK(match.aggregate_ids == other.aggregate_ids);
    CHECK(match.user_ids == other.user_ids);
    CHECK(match.tags == other.tags);
  }
}

void fix_checksum(std::string& bytes) {
  bytes.resize(bytes.size() - sizeof(std::uint64_t));
  put<std::uint64_t>(bytes, xxh3(bytes));
}

bool is_refused(const Proposal& proposal) { return !decode_proposal(encode_proposal(proposal)); }

}  // namespace

TEST_CASE("ProposalCodec.EveryMemberComesBack") {
  const Proposal sample = test::sample_proposal();
  const auto decoded = decode_proposal(encode_proposal(sample));
  REQUIRE_MESSAGE(decoded, decoded.error().describe());
  check_same(*decoded, sample);
}

TEST_CASE("ProposalCodec.RandomProposalsComeBackAsTheyWere") {
  const std::uint64_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t n) { return random() % n; };
  const auto text = [&](std::size_t min) {
    std::string made(min + (below(5) == 0 ? 255 - min : below(20)), '\0');
    for (char& c : made) c = static_cast<char>(random());
    return made;
  };
  const auto maybe = [&] { return below(2) == 0 ? std::nullopt : std::optional(text(0)); };
  const auto texts = [&] {
    std::vector<std::string> made(below(4));
    for (std::string& each : made) each = text(0);
    return made;
  };
  const auto draft = [&](RecordKind kind) {
    RecordDraft made;
    made.kind = kind;
    for (auto& byte : made.event_id.bytes) byte = static_cast<std::uint8_t>(random());
    made.given = {.schema_version = below(2) == 0, .correlation_id = below(2) == 0};
    made.aggregate_id = text(1);
    made.event_type = text(1);
    made.aggregate_type = maybe();
    made.user_id = maybe();
    made.principal = maybe();
    made.correlation_id = maybe();
    made.causation_id = maybe();
    made.schema_version = static_cast<std::uint32_t>(random());
    if (below(2) == 0) made.occurred_at = Timestamp{static_cast<std::int64_t>(random())};
    if (below(2) == 0) made.expected_sequence = SequenceNumber{random()};
    for (std::uint64_t i = 0, count = below(17); i < count; ++i) {
      made.tags.push_back(std::string(1, static_cast<char>('a' + i)) + text(0).substr(0, 100));
    }
    if (kind == RecordKind::Action) {
      made.tags.clear();
      made.outcome = static_cast<ActionOutcome>(below(3));
      made.retention_class = static_cast<std::uint8_t>(random());
      if (below(2) == 0) made.resource = text(1);
      made.private_fields = maybe();
    }
    made.data = maybe();
    made.metadata = maybe();
    return test::sealed_with(std::move(made), static_cast<std::uint8_t>(random()));
  };
  for (int i = 0; i < 300; ++i) {
    Proposal made;
    made.is_list = below(2) == 0;
    for (std::uint64_t n = below(4); n > 0; --n) made.events.push_back(draft(RecordKind::Event));
    for (std::uint64_t n = below(4); n > 0; --n) {
      made.attached.push_back(draft(below(2) == 0 ? RecordKind::Event : RecordKind::Action));
    }
    if (made.record_count() == 0) continue;
    if (below(2) == 0) made.condition.after = Position{random()};
    if (below(2) == 0) made.schema_change = Position{random()};
    for (std::uint64_t n = below(3); n > 0; --n) {
      made.condition.aggregates.push_back(
          {text(0), below(2) == 0 ? std::nullopt : std::optional(SequenceNumber{random()})});
    }
    for (std::uint64_t n = below(3); n > 0; --n) {
      made.condition.fail_if_events_match.push_back({texts(), texts(), texts(), texts(), texts()});
    }
    made.condition.default_aggregate_types = texts();
    const std::string bytes = encode_proposal(made);
    const auto decoded = decode_proposal(bytes);
    REQUIRE_MESSAGE(decoded, decoded.error().describe());
    check_same(*decoded, made);
    CHECK(encode_proposal(*decoded) == bytes);
  }
}

TEST_CASE("ProposalCodec.WhatIsCutOffFlippedOrLongerIsRefused") {
  const std::string whole = encode_proposal(test::sample_proposal());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(decode_proposal(std::string_view(whole).substr(0, size)));
    std::string cut = whole.substr(0, size);
    if (size >= sizeof(std::uint64_t)) fix_checksum(cut);
    CHECK_FALSE(decode_proposal(cut));
    std::string flipped = whole;
    flipped[size] = static_cast<char>(flipped[size] ^ 0x10);
    CHECK_FALSE(decode_proposal(flipped));
  }
  std::string longer = whole + "x";
  fix_checksum(longer);
  CHECK_FALSE(decode_proposal(longer));
  std::string newer = whole;
  newer[4] = 2;
  CHECK(decode_proposal(newer).error().kind == ErrorKind::NewerFormat);
}

TEST_CASE("ProposalCodec.WhatTheCommitterCannotTakeIsRefused") {
  REQUIRE_FALSE(is_refused(test::sample_proposal()));
  const auto with = [](const std::function<void(Proposal&)>& change) {
    Proposal made = test::sample_proposal();
    change(made);
    for (RecordDraft& draft : made.events) draft = test::sealed_with(std::move(draft), 1);
    return made;
  };
  CHECK(is_refused(with([](Proposal& p) { p.events[1].event_id = p.events[0].event_id; })));
  CHECK(is_refused(with([](Proposal& p) { p.events[1].kind = RecordKind::Action; })));
  CHECK(is_refused(with([](Proposal& p) { p.events[1].kind = RecordKind::Genesis; })));
  CHECK(is_refused(with([](Proposal& p) { p.events[1].resource = "an event has none"; })));
  CHECK(is_refused(with([](Proposal& p) { p.events[1].aggregate_id.clear(); })));
  CHECK(is_refused(with([](Proposal& p) { p.events[1].event_type.clear(); })));
  CHECK(is_refused(Proposal{}));
}
