// Random operations against a store on a real folder and against a vector of events; after every few of them all reads
// are compared. STELE_MODEL_SEEDS sets how many seeds are run, STELE_MODEL_SEED runs exactly one.

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <future>
#include <map>
#include <random>
#include <set>

#include "engine/base/digest.h"
#include "engine/commit/commit_machine.h"
#include "engine/log/frame.h"
#include "engine/store/store.h"
#include "tests/support/temp_folder.h"

using namespace stele;
using stele::test::TempFolder;

namespace {

using Kind = AppendOutcome::Kind;

class StepClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const override { return Timestamp{wall.load()}; }
  [[nodiscard]] std::int64_t monotonic_micros() const override { return wall.load(); }
  std::atomic<std::int64_t> wall{1'700'000'000'000'000};
};

/// A stored record as the reference knows it: what the client sent, and what the store had to add.
struct Stored {
  RecordDraft draft;
  bool genesis = false;
  std::optional<std::string> aggregate_type;
  SequenceNumber sequence;
  Timestamp time;
  std::uint16_t commit_index = 0;
  std::uint16_t commit_count = 1;
  std::size_t commit_events = 0;  ///< those of the commit that were asked for

  /// One of the store's own.
  [[nodiscard]] bool hidden() const { return genesis || draft.aggregate_id.starts_with('$'); }
};

bool any_of(const std::vector<std::string>& wanted, const std::optional<std::string>& value) {
  return wanted.empty() || (value && std::find(wanted.begin(), wanted.end(), *value) != wanted.end());
}

bool all_of(const std::vector<std::string>& wanted, const std::vector<std::string>& tags) {
  return std::all_of(wanted.begin(), wanted.end(),
                     [&](const std::string& tag) { return std::find(tags.begin(), tags.end(), tag) != tags.end(); });
}

/// What the record shows as its user.
const std::optional<std::string>& user_of(const RecordDraft& draft) {
  return draft.user_id ? draft.user_id : draft.principal;
}

/// The reference: decides proposals one after another over a vector.
class Model {
 public:
  [[nodiscard]] std::size_t size() const { return records_.size(); }
  [[nodiscard]] const Stored& at(std::size_t position) const { return records_[position]; }
  void add_genesis(Stored genesis) { records_.push_back(std::move(genesis)); }

  /// The newest record of an aggregate that holds schemas; 0 = none.
  [[nodiscard]] Position schema_change() const { return schema_change_; }

  [[nodiscard]] std::uint64_t last_of(std::string_view aggregate) const {
    const auto found = heads_.find(aggregate);
    return found == heads_.end() ? 0 : found->second.first;
  }
  [[nodiscard]] std::optional<std::string> type_of(std::string_view aggregate) const {
    const auto found = heads_.find(aggregate);
    return found == heads_.end() ? std::nullopt : found->second.second;
  }

  AppendOutcome apply(const Proposal& proposal, Timestamp now, std::uint64_t group_bytes_max) {
    const bool known = std::any_of(proposal.events.begin(), proposal.events.end(),
                                   [&](const RecordDraft& event) { return places_.contains(event.event_id); });
    if (known) return repeat(proposal);
    if (kFrameBytes + CommitMachine::bytes_max(proposal) > group_bytes_max) return {.kind = Kind::TooLarge};

    if (proposal.schema_change && *proposal.schema_change != schema_change_) {
      return {.kind = Kind::SchemaChanged, .first = schema_change_};
    }
    auto heads = heads_;
    std::optional<AppendOutcome> sequence_conflict;
    std::vector<Stored> added;
    for (std::uint32_t i = 0; i < proposal.record_count(); ++i) {
      const RecordDraft& event = proposal.record(i);
      auto& [last, type] = heads[event.aggregate_id];
      if (last > 0 && event.aggregate_type && event.aggregate_type != type) {
        return {.kind = Kind::AggregateTypeConflict, .event_index = i, .stored_aggregate_type = type};
      }
      if (event.expected_sequence && event.expected_sequence->value() != last + 1 && !sequence_conflict) {
        sequence_conflict =
            AppendOutcome{.kind = Kind::SequenceConflict, .event_index = i, .current = SequenceNumber{last}};
      }
      if (last == 0) type = event.aggregate_type;
      ++last;
      added.push_back({.draft = event,
                       .aggregate_type = type,
                       .sequence = SequenceNumber{last},
                       .commit_index = static_cast<std::uint16_t>(i),
                       .commit_count = static_cast<std::uint16_t>(proposal.record_count()),
                       .commit_events = proposal.events.size()});
    }
    const Condition& condition = proposal.condition;
    if (condition.after && condition.after->value() >= size()) {
      return {.kind = Kind::AfterBeyondHead, .first = Position{size()}};
    }
    AppendOutcome failed{.kind = Kind::ConditionFailed};
    for (const AggregateCondition& wanted : condition.aggregates) {
      const std::uint64_t last = last_of(wanted.aggregate_id);
      if (wanted.last ? wanted.last->value() != last : last == 0) {
        failed.mismatches.push_back({wanted.aggregate_id, SequenceNumber{last}});
      }
    }
    for (std::size_t i = condition.after ? condition.after->value() + 1 : 0;
         i < size() && failed.conflicting.size() < 10; ++i) {
      if (std::any_of(condition.fail_if_events_match.begin(), condition.fail_if_events_match.end(),
                      [&](const EventMatch& match) { return matches(match, records_[i]); })) {
        failed.conflicting.push_back(Position{i});
      }
    }
    if (!failed.mismatches.empty() || !failed.conflicting.empty()) return failed;
    if (sequence_conflict) return *sequence_conflict;

    const Position first{size()};
    const Timestamp time = std::max(records_.back().time, now);
    for (Stored& record : added) {
      record.time = time;
      places_[record.draft.event_id] = size();
      if (record.aggregate_type == kSchemaAggregateType) schema_change_ = Position{size()};
      records_.push_back(std::move(record));
    }
    heads_ = std::move(heads);
    return {.kind = Kind::Stored, .first = first, .count = static_cast<std::uint32_t>(proposal.events.size())};
  }

 private:
  static bool matches(const EventMatch& match, const Stored& record) {
    if (record.genesis) return false;
    // The store's own records are met by their aggregates only.
    const bool by_others = !match.event_types.empty() || !match.aggregate_types.empty() || !match.user_ids.empty() ||
                           !match.tags.empty() || match.aggregate_ids.empty();
    if (record.hidden() && by_others) return false;
    return any_of(match.event_types, record.draft.event_type) && any_of(match.aggregate_types, record.aggregate_type) &&
           any_of(match.aggregate_ids, record.draft.aggregate_id) && any_of(match.user_ids, user_of(record.draft)) &&
           all_of(match.tags, record.draft.tags);
  }

  [[nodiscard]] AppendOutcome repeat(const Proposal& proposal) const {
    std::optional<std::size_t> first;
    for (std::uint32_t i = 0; i < proposal.events.size(); ++i) {
      const AppendOutcome conflict{.kind = Kind::EventIdConflict, .event_index = i};
      const RecordDraft& sent = proposal.events[i];
      const auto found = places_.find(sent.event_id);
      if (found == places_.end()) return conflict;
      const Stored& record = records_[found->second];
      if (!first) first = found->second;
      const std::size_t count = proposal.events.size();
      const bool whole = i > 0 || (record.commit_events <= count && record.commit_count >= count);
      if (proposal.is_list && (record.commit_index != i || found->second != *first + i || !whole)) {
        return conflict;
      }
      const RecordDraft& stored = record.draft;
      const bool same = sent.aggregate_id == stored.aggregate_id && sent.event_type == stored.event_type &&
                        sent.aggregate_type == stored.aggregate_type &&
                        user_of(stored) == (sent.user_id ? sent.user_id : stored.principal) &&
                        sent.causation_id == stored.causation_id && sent.occurred_at == stored.occurred_at &&
                        sent.data == stored.data && sent.metadata == stored.metadata && sent.tags == stored.tags &&
                        sent.given.schema_version == stored.given.schema_version &&
                        (!sent.given.schema_version || sent.schema_version == stored.schema_version) &&
                        sent.given.correlation_id == stored.given.correlation_id &&
                        (!sent.given.correlation_id || sent.correlation_id == stored.correlation_id) &&
                        (!sent.expected_sequence || sent.expected_sequence == record.sequence);
      if (!same) return conflict;
    }
    return {
        .kind = Kind::Repeated, .first = Position{*first}, .count = static_cast<std::uint32_t>(proposal.events.size())};
  }

  std::vector<Stored> records_;
  std::map<std::string, std::pair<std::uint64_t, std::optional<std::string>>, std::less<>> heads_;
  Position schema_change_;
  std::map<Uuid, std::size_t> places_;
};

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
  [[nodiscard]] bool one_in(std::uint64_t n) { return below(n) == 0; }

  [[nodiscard]] Uuid uuid() {
    Uuid uuid;
    for (auto& byte : uuid.bytes) byte = static_cast<std::uint8_t>(engine_());
    return uuid;
  }
  [[nodiscard]] std::string aggregate() {
    static const char* const kFronts[] = {"", "a", "a/", "src/server.c", "mission-", "\xC3\xA4"};
    return kFronts[below(6)] + std::to_string(below(1 + below(30)));
  }
  [[nodiscard]] std::string event_type() { return "Type" + std::to_string(below(1 + below(8))); }
  [[nodiscard]] std::string aggregate_type() { return "Aggregate" + std::to_string(below(3)); }
  [[nodiscard]] std::string user() {
    return one_in(3) ? "0192f0c4-9000-7000-8000-00000000000" + std::to_string(below(3))
                     : "user" + std::to_string(below(3));
  }
  [[nodiscard]] std::string tag() {
    return one_in(20) ? std::string(128, 't') : "tag:" + std::to_string(below(1 + below(12)));
  }
  /// As an event may have them.
  [[nodiscard]] std::vector<std::string> tags() {
    std::set<std::string> tags;
    for (std::uint64_t count = one_in(10) ? 16 : below(5); count > 0; --count) tags.insert(tag());
    return {tags.begin(), tags.end()};
  }
  [[nodiscard]] std::string principal() { return one_in(2) ? "principal" : "principal" + std::to_string(below(4)); }
  [[nodiscard]] std::string resource() {
    return one_in(2) ? "aggregate:" + aggregate() : "route:/v1/" + std::to_string(below(5));
  }
  [[nodiscard]] std::string correlation() { return "request " + std::to_string(below(60)); }
  [[nodiscard]] Timestamp occurred() {
    constexpr std::int64_t kDay = 86'400'000'000;
    return Timestamp{(static_cast<std::int64_t>(below(200)) - 100) * kDay + static_cast<std::int64_t>(below(3)) - 1};
  }
  [[nodiscard]] std::string text(std::size_t size) {
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>(engine_());
    return text;
  }

 private:
  std::mt19937_64 engine_;
};

Digest recursive_root(std::span<const Digest> leaves) {
  if (leaves.empty()) return sha256({});
  if (leaves.size() == 1) return leaves[0];
  std::size_t k = 1;
  while (k * 2 < leaves.size()) k *= 2;
  return sha256({"\1", as_bytes(recursive_root(leaves.first(k))), as_bytes(recursive_root(leaves.subspan(k)))});
}

class ModelRun {
 public:
  explicit ModelRun(std::uint64_t seed) : random_(seed) { open(); }

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      CAPTURE(step);
      clock_.wall += static_cast<std::int64_t>(random_.below(2'000'000)) - 300'000;
      if (random_.one_in(60)) {
        reopen();
      } else if (random_.one_in(5)) {
        append_together();
      } else {
        const Proposal made = proposal();
        const AppendOutcome wanted = model_.apply(made, clock_.now(), group_bytes_max());
        check_outcome(store_->append_and_wait(made), wanted);
        history_.push_back(made);
      }
      if (random_.one_in(8)) compare(*store_->view(), model_.size());
      if (random_.one_in(20)) {
        // A view shows for ever what was there when it was taken.
        if (old_view_) compare(*old_view_, old_size_);
        old_view_ = store_->view();
        old_size_ = model_.size();
      }
    }
    compare(*store_->view(), model_.size());
    reopen();
    compare(*store_->view(), model_.size());
    CHECK(store_->recovery().records == model_.size());
  }

 private:
  [[nodiscard]] std::uint64_t group_bytes_max() const {
    const std::uint64_t room =
        segment_bytes_ - kSegmentHeaderBytes - kFrameBytes - kFooterFixedBytes - kFooterTrailerBytes;
    return std::min(kGroupBytesMax, room / 100 * 96);
  }

  void open() {
    segment_bytes_ = random_.one_in(3) ? 96 * 1024 : 64 * 1024;
    StoreOptions options;
    options.folder = folder_.path() + "/data";
    options.segment_bytes = segment_bytes_;
    options.index_part_records_max = 1 + random_.below(1 + random_.below(300));
    options.overlap_records_min = random_.below(2) == 0 ? 1 : 1000;
    // Half of the stores keep their index in the background.
    if (random_.one_in(2)) options.compaction_bytes_per_second = 0;
    options.fill_bytes_per_second = random_.one_in(2) ? 0 : 1ULL << 30;
    options.clock = &clock_;
    auto opened = Store::open(options);
    REQUIRE_MESSAGE(opened, opened.error().describe());
    store_ = std::move(*opened);
    if (model_.size() == 0) {
      Record record;
      REQUIRE(store_->view()->read(Position{0}, record));
      Stored genesis{.genesis = true, .sequence = SequenceNumber{1}, .time = clock_.now()};
      genesis.draft.event_id = record.header().event_id;
      genesis.draft.aggregate_id = "$store";
      genesis.draft.event_type = "$genesis";
      model_.add_genesis(std::move(genesis));
    }
  }

  void reopen() {
    if (random_.one_in(2)) REQUIRE(store_->close());
    store_.reset();
    open();
  }

  RecordDraft draft() {
    RecordDraft event;
    event.event_id = random_.uuid();
    event.aggregate_id = random_.aggregate();
    event.event_type = random_.event_type();
    // Mostly what the aggregate has, so that most are accepted.
    if (random_.one_in(3)) event.aggregate_type = model_.type_of(event.aggregate_id);
    if (random_.one_in(15) || (random_.one_in(2) && model_.last_of(event.aggregate_id) == 0)) {
      event.aggregate_type = random_.aggregate_type();
    }
    if (random_.one_in(2)) event.user_id = random_.user();
    if (random_.one_in(3)) event.principal = random_.principal();
    if (!random_.one_in(4)) event.correlation_id = random_.correlation();
    event.given.correlation_id = event.correlation_id && random_.one_in(2);
    if (random_.one_in(4)) event.causation_id = random_.correlation();
    event.given.schema_version = random_.one_in(4);
    event.schema_version = event.given.schema_version ? static_cast<std::uint32_t>(1 + random_.below(3)) : 1;
    if (random_.one_in(3)) event.occurred_at = random_.occurred();
    if (random_.one_in(2)) event.tags = random_.tags();
    if (random_.one_in(5)) {
      event.expected_sequence =
          SequenceNumber{model_.last_of(event.aggregate_id) + (random_.one_in(4) ? random_.below(3) : 1)};
    }
    if (!random_.one_in(20))
      event.data = random_.text(random_.one_in(300) ? 120'000 : random_.below(1 + random_.below(3000)));
    if (random_.one_in(4)) event.metadata = random_.text(random_.below(100));
    return event;
  }

  Proposal proposal() {
    if (!history_.empty() && random_.one_in(8)) return repeated();
    Proposal made;
    const std::uint64_t count = random_.one_in(5) ? 1 + random_.below(12) : 1;
    for (std::uint64_t i = 0; i < count; ++i) made.events.push_back(draft());
    made.is_list = count > 1 || random_.one_in(4);
    if (random_.one_in(5)) {
      const std::string aggregate = random_.aggregate();
      const std::uint64_t last = model_.last_of(aggregate);
      AggregateCondition wanted{aggregate, SequenceNumber{last}};
      if (random_.one_in(3)) wanted.last = std::nullopt;
      if (random_.one_in(4)) wanted.last = SequenceNumber{random_.below(last + 2)};
      made.condition.aggregates.push_back(std::move(wanted));
    }
    if (random_.one_in(6)) {
      EventMatch match;
      if (random_.one_in(2)) match.event_types = {random_.event_type(), random_.event_type()};
      if (random_.one_in(2)) match.aggregate_ids = {random_.one_in(4) ? "$audit/0" : random_.aggregate()};
      if (random_.one_in(3)) match.aggregate_types = {random_.aggregate_type()};
      if (random_.one_in(3)) match.user_ids = {random_.user()};
      for (std::uint64_t i = random_.one_in(2) ? random_.below(4) : 0; i > 0; --i) match.tags.push_back(random_.tag());
      made.condition.fail_if_events_match.push_back(std::move(match));
      if (random_.one_in(3)) made.condition.fail_if_events_match.push_back({.tags = {random_.tag(), random_.tag()}});
      if (!random_.one_in(4))
        made.condition.after = Position{model_.size() - std::min(model_.size(), 1 + random_.below(30))};
      if (random_.one_in(12)) made.condition.after = Position{model_.size() + random_.below(3)};
    }
    while (random_.one_in(4)) made.attached.push_back(attached());
    if (random_.one_in(4)) made.schema_change = random_.one_in(10) ? Position{0} : model_.schema_change();
    for (RecordDraft& event : made.events) event.seal();
    return made;
  }

  /// What a store adds: events of its own aggregates, and actions, of users, tags and types that events have too.
  RecordDraft attached() {
    RecordDraft made;
    made.event_id = random_.uuid();
    made.aggregate_id = "$schema/" + random_.event_type();
    made.event_type = random_.event_type();
    if (random_.one_in(3)) made.aggregate_type = model_.type_of(made.aggregate_id);
    if (model_.last_of(made.aggregate_id) == 0 && random_.one_in(3)) made.aggregate_type = random_.aggregate_type();
    if (model_.last_of(made.aggregate_id) == 0 && random_.one_in(3)) made.aggregate_type = kSchemaAggregateType;
    if (random_.one_in(2)) made.user_id = random_.user();
    if (random_.one_in(2)) made.principal = "principal";
    if (random_.one_in(2)) made.correlation_id = random_.correlation();
    if (random_.one_in(4)) made.occurred_at = random_.occurred();
    if (random_.one_in(2)) made.data = random_.text(random_.below(50));
    if (random_.one_in(2)) {
      made.kind = RecordKind::Action;
      made.aggregate_id = "$audit/" + std::to_string(random_.below(3));
      made.aggregate_type.reset();
      made.outcome = static_cast<ActionOutcome>(random_.below(3));
      made.retention_class = static_cast<std::uint8_t>(random_.below(4));
      if (!random_.one_in(4)) made.resource = random_.resource();
      if (random_.one_in(2)) made.private_fields = random_.text(random_.below(50));
    } else if (random_.one_in(4)) {
      made.tags = random_.tags();
    }
    made.seal();
    return made;
  }

  /// An earlier proposal again, sometimes changed a little.
  Proposal repeated() {
    Proposal made = history_[random_.below(history_.size())];
    RecordDraft& event = made.events[random_.below(made.events.size())];
    switch (random_.below(13)) {
      case 0:
        event.data = "changed";
        break;
      case 1:
        event.metadata = "changed";
        break;
      case 2:
        event.event_type = "Changed";
        break;
      case 3:
        event.user_id = "changed";
        break;
      case 4:
        event.event_id = random_.uuid();
        break;
      case 5:
        made.events.push_back(draft());
        made.is_list = true;
        break;
      case 6:
        made.events.pop_back();
        break;
      case 7:
        std::reverse(made.events.begin(), made.events.end());
        break;
      case 8:
        event.principal = "another principal";
        event.user_id.reset();
        break;
      case 9:
        event.tags = random_.tags();
        break;
      default:
        break;
    }
    if (made.events.empty()) made.events.push_back(draft());
    made.attached.clear();
    while (random_.one_in(4)) made.attached.push_back(attached());
    for (RecordDraft& again : made.events) again.seal();  // a client that tries again has other salts
    return made;
  }

  /// Several proposals without waiting, so that they share groups; some are sent twice.
  void append_together() {
    std::vector<Proposal> proposals;
    const std::uint64_t count = 2 + random_.below(12);
    for (std::uint64_t i = 0; i < count; ++i) {
      proposals.push_back(i > 0 && random_.one_in(4) ? proposals[random_.below(i)] : proposal());
    }
    std::vector<std::promise<Decision>> decided(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      store_->append(proposals[i], [&decided, i](Decision decision) { decided[i].set_value(std::move(decision)); });
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      CAPTURE(i);
      const AppendOutcome wanted = model_.apply(proposals[i], clock_.now(), group_bytes_max());
      check_outcome(store_->finish(decided[i].get_future().get()), wanted);
      history_.push_back(std::move(proposals[i]));
    }
  }

  static void check_outcome(const AppendOutcome& got, const AppendOutcome& wanted) {
    REQUIRE_MESSAGE(static_cast<int>(got.kind) == static_cast<int>(wanted.kind), got.detail);
    CHECK(got.event_index == wanted.event_index);
    switch (wanted.kind) {
      case Kind::Stored:
      case Kind::Repeated:
        CHECK(got.first.value() == wanted.first.value());
        CHECK(got.count == wanted.count);
        break;
      case Kind::SequenceConflict:
        CHECK(got.current == wanted.current);
        break;
      case Kind::AggregateTypeConflict:
        CHECK(got.stored_aggregate_type == wanted.stored_aggregate_type);
        break;
      case Kind::AfterBeyondHead:
      case Kind::SchemaChanged:
        CHECK(got.first.value() == wanted.first.value());
        break;
      case Kind::ConditionFailed: {
        CHECK(got.conflicting == wanted.conflicting);
        REQUIRE(got.mismatches.size() == wanted.mismatches.size());
        for (std::size_t i = 0; i < got.mismatches.size(); ++i) {
          CHECK(got.mismatches[i].aggregate_id == wanted.mismatches[i].aggregate_id);
          CHECK(got.mismatches[i].current == wanted.mismatches[i].current);
        }
        break;
      }
      default:
        break;
    }
  }

  // ---- reads: `size` is how much of the model the view must show.

  void compare(const ReadView& view, std::size_t size) {
    REQUIRE(view.end().value() == size);
    Record record;
    CHECK(view.read(Position{size}, record).error().kind == ErrorKind::NotFound);
    for (int i = 0; i < 20; ++i) {
      const std::size_t position = i < 2 ? size - 1 - static_cast<std::size_t>(i) % size : random_.below(size);
      REQUIRE(view.read(Position{position}, record));
      check_record(record, position);
      CHECK(view.find_event(model_.at(position).draft.event_id).value() == Position{position});
    }
    CHECK_FALSE(view.find_event(random_.uuid()).value());
    if (size < model_.size()) CHECK_FALSE(view.find_event(model_.at(size).draft.event_id).value());
    compare_aggregates(view, size);
    for (int i = 0; i < 8; ++i) compare_query(view, size);
    if (size == model_.size()) compare_head(view);
  }

  void check_record(const Record& record, std::size_t position) const {
    const Stored& wanted = model_.at(position);
    const RecordHeader& got = record.header();
    CHECK(got.position.value() == position);
    CHECK(got.kind == (wanted.genesis ? RecordKind::Genesis : wanted.draft.kind));
    CHECK(got.outcome == wanted.draft.outcome);
    CHECK(got.retention_class == wanted.draft.retention_class);
    CHECK(got.resource == wanted.draft.resource);
    CHECK(got.event_id == wanted.draft.event_id);
    CHECK(got.sequence == wanted.sequence);
    CHECK(got.time == wanted.time);
    CHECK(got.occurred_at == wanted.draft.occurred_at);
    CHECK(got.schema_version == wanted.draft.schema_version);
    CHECK(got.commit_index == wanted.commit_index);
    CHECK(got.commit_count == wanted.commit_count);
    CHECK(got.aggregate_id == wanted.draft.aggregate_id);
    CHECK(got.aggregate_type == wanted.aggregate_type);
    CHECK(got.event_type == wanted.draft.event_type);
    CHECK(got.user_id == user_of(wanted.draft));
    CHECK(got.principal == wanted.draft.principal);
    CHECK(got.correlation_id == wanted.draft.correlation_id);
    CHECK(got.causation_id == wanted.draft.causation_id);
    CHECK(got.given.correlation_id == wanted.draft.given.correlation_id);
    CHECK(got.given.schema_version == wanted.draft.given.schema_version);
    CHECK(got.given.aggregate_type == wanted.draft.aggregate_type.has_value());
    CHECK(std::equal(got.tags.begin(), got.tags.end(), wanted.draft.tags.begin(), wanted.draft.tags.end()));
    CHECK(record.body().data == wanted.draft.data);
    CHECK(record.body().metadata == wanted.draft.metadata);
    CHECK(record.body().private_fields == wanted.draft.private_fields);
  }

  void compare_head(const ReadView& view) {
    const LogHead head = store_->head();
    CHECK(head.size == model_.size());
    CHECK(head.last_time == model_.at(model_.size() - 1).time);
    CHECK(store_->durable_end().value() == model_.size());
    std::vector<Digest> leaves;
    Record record;
    for (std::size_t i = 0; i < model_.size(); ++i) {
      REQUIRE(view.read(Position{i}, record));
      leaves.push_back(record.leaf());
    }
    CHECK(head.root == recursive_root(leaves));
  }

  void compare_aggregates(const ReadView& view, std::size_t size) {
    std::map<std::string, AggregateSummary> all;
    for (std::size_t i = 0; i < size; ++i) {
      const Stored& record = model_.at(i);
      AggregateSummary& summary = all[record.draft.aggregate_id];
      if (summary.count++ == 0) {
        summary.aggregate_id = record.draft.aggregate_id;
        summary.aggregate_type = record.aggregate_type;
        summary.first_time = record.time;
      }
      summary.last_sequence = record.sequence;
      summary.last_time = record.time;
    }
    const auto check = [](const AggregateSummary& got, const AggregateSummary& wanted) {
      CHECK(got.aggregate_id == wanted.aggregate_id);
      CHECK(got.aggregate_type == wanted.aggregate_type);
      CHECK(got.last_sequence == wanted.last_sequence);
      CHECK(got.count == wanted.count);
      CHECK(got.first_time == wanted.first_time);
      CHECK(got.last_time == wanted.last_time);
    };
    for (int i = 0; i < 5; ++i) {
      const std::string id = random_.aggregate();
      const auto got = view.aggregate(id).value();
      const auto wanted = all.find(id);
      REQUIRE(got.has_value() == (wanted != all.end()));
      if (got) check(*got, wanted->second);
    }
    AggregateQuery query;
    if (random_.one_in(2)) query.prefix = random_.aggregate().substr(0, random_.below(4));
    if (random_.one_in(3)) query.aggregate_type = random_.aggregate_type();
    for (std::uint64_t i = random_.below(3); i > 0; --i) query.aggregate_types.push_back(random_.aggregate_type());
    if (random_.one_in(3)) query.after = random_.aggregate();
    query.include_system = random_.one_in(3);
    std::vector<const AggregateSummary*> wanted;
    for (const auto& [id, summary] : all) {
      const bool in = id.starts_with(query.prefix) &&
                      (!query.aggregate_type || summary.aggregate_type == query.aggregate_type) &&
                      any_of(query.aggregate_types, summary.aggregate_type) && (!query.after || id > *query.after) &&
                      (query.include_system || !id.starts_with('$'));
      if (in) wanted.push_back(&summary);
    }
    const std::size_t limit = 1 + random_.below(60);
    for (std::size_t at = 0;;) {
      ReadBudget budget = random_budget();
      const AggregateList page = view.aggregates(query, limit, &budget).value();
      REQUIRE(page.found.size() <= std::min(limit, wanted.size() - at));
      for (const AggregateSummary& summary : page.found) check(summary, *wanted[at++]);
      if (page.rest_behind) {
        const auto& rest = *page.rest_behind;
        CHECK((!query.after || *query.after < rest.aggregate_id));
        CHECK(all.contains(rest.aggregate_id));
        CHECK(rest.last_position < view.end());
        query.after = rest.aggregate_id;
        continue;
      }
      REQUIRE(page.found.size() == std::min(limit, wanted.size() - (at - page.found.size())));
      if (page.found.size() < limit) break;
      query.after = page.found.back().aggregate_id;
    }
  }

  /// Mostly one that is used up before a page is full.
  ReadBudget random_budget() {
    const std::uint64_t records = random_.one_in(3) ? 1'000'000 : random_.below(150);
    return ReadBudget(ReadLimits{.records = records, .time = std::chrono::hours{1}});
  }

  EventQuery random_query(std::size_t size) {
    EventQuery query;
    const Stored& some = model_.at(random_.below(size));
    if (random_.one_in(4)) query.aggregate_id = some.draft.aggregate_id;
    for (std::uint64_t i = random_.one_in(5) ? 1 + random_.below(4) : 0; i > 0; --i)
      query.aggregate_ids.push_back(model_.at(random_.below(size)).draft.aggregate_id);
    if (random_.one_in(5)) query.aggregate_type = random_.one_in(2) ? some.aggregate_type : random_.aggregate_type();
    for (std::uint64_t i = random_.one_in(4) ? 1 + random_.below(2) : 0; i > 0; --i)
      query.aggregate_types.push_back(random_.aggregate_type());
    for (std::uint64_t i = random_.one_in(3) ? 1 + random_.below(3) : 0; i > 0; --i)
      query.event_types.push_back(random_.event_type());
    if (random_.one_in(6)) query.user_id = random_.user();
    for (std::uint64_t i = random_.one_in(3) ? 1 + random_.below(3) : 0; i > 0; --i)
      query.tags.push_back(some.draft.tags.empty() || random_.one_in(4)
                               ? random_.tag()
                               : some.draft.tags[random_.below(some.draft.tags.size())]);
    if (random_.one_in(6)) query.correlation_id = random_.correlation();
    if (random_.one_in(6)) query.principal = random_.principal();
    for (std::uint64_t i = random_.one_in(6) ? 1 + random_.below(2) : 0; i > 0; --i)
      query.resources.push_back(some.draft.resource ? *some.draft.resource : random_.resource());
    if (random_.one_in(6)) {
      RecordChoice& choice = query.choice.emplace();
      choice.client_events = random_.one_in(2);
      for (std::uint64_t i = random_.below(3); i > 0; --i)
        choice.system_types.push_back(some.hidden() && random_.one_in(2) ? some.draft.event_type
                                                                         : random_.event_type());
    }
    if (random_.one_in(6)) query.outcome = static_cast<ActionOutcome>(random_.below(3));
    const auto around = [&](Timestamp time) {
      return Timestamp{time.micros + static_cast<std::int64_t>(random_.below(3)) - 1};
    };
    if (random_.one_in(5)) query.from = around(some.time);
    if (random_.one_in(5)) query.to = around(model_.at(random_.below(size)).time);
    if (random_.one_in(6)) query.occurred_from = random_.occurred();
    if (random_.one_in(6)) query.occurred_to = random_.occurred();
    if (random_.one_in(5)) query.from_sequence = SequenceNumber{random_.below(some.sequence.value() + 2)};
    if (random_.one_in(5)) query.to_sequence = SequenceNumber{random_.below(some.sequence.value() + 3)};
    if (random_.one_in(6)) query.after = Position{random_.below(size + 3)};
    if (random_.one_in(6)) query.before = Position{random_.below(size + 3)};
    query.include_system = random_.one_in(3);
    query.direction = random_.one_in(2) ? Direction::Ascending : Direction::Descending;
    return query;
  }

  [[nodiscard]] bool matches(const EventQuery& query, std::size_t position) const {
    const Stored& record = model_.at(position);
    const auto& occurred = record.draft.occurred_at;
    return (!query.aggregate_id || record.draft.aggregate_id == *query.aggregate_id) &&
           (query.aggregate_ids.empty() || std::find(query.aggregate_ids.begin(), query.aggregate_ids.end(),
                                                     record.draft.aggregate_id) != query.aggregate_ids.end()) &&
           (!query.aggregate_type || record.aggregate_type == query.aggregate_type) &&
           any_of(query.aggregate_types, record.aggregate_type) &&
           (query.event_types.empty() || std::find(query.event_types.begin(), query.event_types.end(),
                                                   record.draft.event_type) != query.event_types.end()) &&
           all_of(query.tags, record.draft.tags) && (!query.user_id || user_of(record.draft) == query.user_id) &&
           (!query.correlation_id || record.draft.correlation_id == query.correlation_id) &&
           (!query.principal || record.draft.principal == query.principal) &&
           (!query.outcome || record.draft.outcome == *query.outcome) &&
           any_of(query.resources, record.draft.kind == RecordKind::Action
                                       ? record.draft.resource
                                       : "aggregate:" + record.draft.aggregate_id) &&
           (!query.choice || (record.hidden() ? !query.choice->system_types.empty() &&
                                                    any_of(query.choice->system_types, record.draft.event_type)
                                              : query.choice->client_events)) &&
           (!query.from || record.time >= *query.from) && (!query.to || record.time < *query.to) &&
           (!query.occurred_from || (occurred && *occurred >= *query.occurred_from)) &&
           (!query.occurred_to || (occurred && *occurred < *query.occurred_to)) &&
           (!query.from_sequence || record.sequence >= *query.from_sequence) &&
           (!query.to_sequence || record.sequence <= *query.to_sequence) &&
           (!query.after || position > query.after->value()) && (!query.before || position < query.before->value()) &&
           (query.include_system || !record.hidden());
  }

  /// Pages through a query as a client with a cursor would.
  void compare_query(const ReadView& view, std::size_t size) {
    EventQuery query = random_query(size);
    std::vector<std::size_t> wanted;
    for (std::size_t i = 0; i < size; ++i) {
      if (matches(query, i)) wanted.push_back(i);
    }
    const bool ascending = query.direction == Direction::Ascending;
    if (!ascending) std::reverse(wanted.begin(), wanted.end());
    const std::size_t limit = 1 + random_.below(100);
    Record record;
    std::size_t at = 0;
    for (bool more = true; more;) {
      ReadBudget budget = random_budget();
      auto stream = view.query(query, &budget);
      REQUIRE(stream);
      std::optional<Position> rest;
      for (std::size_t i = 0; i < limit; ++i) {
        const auto got = (*stream)->next(record);
        REQUIRE_MESSAGE(got, got.error().describe());
        more = *got;
        if (!more) {
          CHECK_FALSE((*stream)->next(record).value());
          rest = (*stream)->rest_behind();
          break;
        }
        REQUIRE(at < wanted.size());
        REQUIRE(record.header().position.value() == wanted[at]);
        if (at % 7 == 0) check_record(record, wanted[at]);
        ++at;
      }
      if (more) rest = record.header().position;
      more = rest.has_value();
      if (rest) {
        std::optional<Position>& border = ascending ? query.after : query.before;
        if (border) REQUIRE((ascending ? *border < *rest : *rest < *border));
        border = rest;
      }
    }
    CHECK(at == wanted.size());
  }

  Random random_;
  const TempFolder folder_;
  StepClock clock_;
  std::uint64_t segment_bytes_ = 0;
  std::unique_ptr<Store> store_;
  Model model_;
  std::vector<Proposal> history_;
  std::shared_ptr<const ReadView> old_view_;
  std::size_t old_size_ = 0;
};

std::optional<std::uint64_t> number_from(const char* variable) {
  const char* const text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

}  // namespace

TEST_CASE("StoreModel.RandomOperationsGiveWhatAVectorOfEventsGives") {
  constexpr std::uint64_t kSeeds = 5;
  constexpr int kSteps = 400;
  const auto one = number_from("STELE_MODEL_SEED");
  const std::uint64_t first = one ? *one : std::random_device()();
  const std::uint64_t count = one ? 1 : number_from("STELE_MODEL_SEEDS").value_or(kSeeds);
  MESSAGE("seeds " << first << " .. " << first + count - 1);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    CAPTURE(seed);
    ModelRun(seed).run(kSteps);
  }
}
