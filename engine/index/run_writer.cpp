#include "engine/index/run_writer.h"

#include <algorithm>
#include <functional>

#include "engine/base/bytes.h"
#include "engine/index/run_folder.h"
#include "engine/table/varint.h"

namespace stele {
namespace {

using OrdinalVisitor = std::function<Status(std::uint32_t)>;

/// Runs through the keys of one table of one source in order.
class KeyCursor {
 public:
  virtual ~KeyCursor() = default;
  [[nodiscard]] virtual bool valid() const = 0;
  [[nodiscard]] virtual std::string_view key() const = 0;
  [[nodiscard]] virtual Status next() = 0;
  /// Of an aggregate's key only: everything but its list.
  [[nodiscard]] virtual Result<StoredAggregate> aggregate() = 0;
  [[nodiscard]] virtual Status ordinals(const OrdinalVisitor& visit) = 0;
};

class TableSource {
 public:
  virtual ~TableSource() = default;
  [[nodiscard]] virtual Position first() const = 0;
  [[nodiscard]] virtual Position end() const = 0;
  [[nodiscard]] virtual std::uint64_t keys(std::size_t table) const = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<KeyCursor>> cursor(std::size_t table) const = 0;
  [[nodiscard]] virtual std::uint64_t times() const = 0;
  [[nodiscard]] virtual Result<IndexRun::TimeSample> time(std::uint64_t index) const = 0;
  [[nodiscard]] virtual const std::optional<ReplayPoint>& replay() const = 0;
  [[nodiscard]] virtual Position tail_first() const = 0;
  [[nodiscard]] virtual Result<std::vector<std::uint32_t>> tail_offsets() const = 0;
};

/// Entries of one of the tables of a part in memory, sorted.
template <class Value>
class MemoryCursor : public KeyCursor {
 public:
  using Entry = typename KeyTable<Value>::Entry;
  explicit MemoryCursor(const KeyTable<Value>& table) {
    entries_.reserve(table.size());
    for (std::size_t i = 0; i < table.size(); ++i) entries_.push_back(&table.entry(i));
    std::sort(entries_.begin(), entries_.end(), [](const Entry* a, const Entry* b) { return a->key() < b->key(); });
  }
  bool valid() const override { return at_ < entries_.size(); }
  std::string_view key() const override { return entries_[at_]->key(); }
  Status next() override {
    ++at_;
    return {};
  }

 protected:
  [[nodiscard]] const Value& value() const { return entries_[at_]->value; }
  static Status visit_all(const PostingList& list, const OrdinalVisitor& visit) {
    for (const std::uint32_t ordinal : list.ordinals()) STELE_TRY(visit(ordinal));
    return {};
  }

 private:
  std::vector<const Entry*> entries_;
  std::size_t at_ = 0;
};

class MemoryListCursor final : public MemoryCursor<PostingList> {
 public:
  using MemoryCursor::MemoryCursor;
  Result<StoredAggregate> aggregate() override { return StoredAggregate{}; }
  Status ordinals(const OrdinalVisitor& visit) override { return visit_all(value(), visit); }
};

class MemoryAggregateCursor final : public MemoryCursor<Memtable::Aggregate> {
 public:
  using MemoryCursor::MemoryCursor;
  Result<StoredAggregate> aggregate() override {
    const Memtable::Aggregate& from = value();
    return StoredAggregate{.first_sequence = from.first_sequence,
                           .last_sequence = from.last_sequence(),
                           .first_time = from.first_time,
                           .last_time = from.last_time,
                           .last_ordinal = from.records.ordinals().back(),
                           .type = from.type()};
  }
  Status ordinals(const OrdinalVisitor& visit) override { return visit_all(value().records, visit); }
};

class MemoryEventIdCursor final : public KeyCursor {
 public:
  explicit MemoryEventIdCursor(const std::vector<Uuid>& ids) {
    ids_.reserve(ids.size());
    for (std::uint32_t i = 0; i < ids.size(); ++i) ids_.emplace_back(ids[i], i);
    std::sort(ids_.begin(), ids_.end());
    // The log has no id twice; if it had, the first one counts.
    const auto same_id = [](const auto& a, const auto& b) { return a.first == b.first; };
    ids_.erase(std::unique(ids_.begin(), ids_.end(), same_id), ids_.end());
  }
  bool valid() const override { return at_ < ids_.size(); }
  std::string_view key() const override { return as_bytes(ids_[at_].first); }
  Status next() override {
    ++at_;
    return {};
  }
  Result<StoredAggregate> aggregate() override { return StoredAggregate{}; }
  Status ordinals(const OrdinalVisitor& visit) override { return visit(ids_[at_].second); }

 private:
  std::vector<std::pair<Uuid, std::uint32_t>> ids_;
  std::size_t at_ = 0;
};

class MemoryTypedAggregateCursor final : public KeyCursor {
 public:
  explicit MemoryTypedAggregateCursor(const KeyTable<Memtable::Aggregate>& table) {
    for (std::size_t i = 0; i < table.size(); ++i) {
      const auto& entry = table.entry(i);
      if (Memtable::begins_here(entry.value)) keys_.push_back(typed_aggregate_key(*entry.value.type(), entry.key()));
    }
    std::sort(keys_.begin(), keys_.end());
  }
  bool valid() const override { return at_ < keys_.size(); }
  std::string_view key() const override { return keys_[at_]; }
  Status next() override {
    ++at_;
    return {};
  }
  Result<StoredAggregate> aggregate() override { return StoredAggregate{}; }
  Status ordinals(const OrdinalVisitor&) override { return {}; }

 private:
  std::vector<std::string> keys_;
  std::size_t at_ = 0;
};

class MemorySource final : public TableSource {
 public:
  explicit MemorySource(const Memtable& part) : part_(part) {}
  Position first() const override { return part_.first(); }
  Position end() const override { return part_.end(); }
  std::uint64_t keys(std::size_t table) const override {
    if (table == kEventIdTable) return part_.event_ids().size();
    if (table == kTypedAggregateTable) return part_.aggregates().size();
    if (table == kAggregateTable) return part_.aggregates().size();
    return part_.lists(static_cast<KeyKind>(table)).size();
  }
  Result<std::unique_ptr<KeyCursor>> cursor(std::size_t table) const override {
    using Made = std::unique_ptr<KeyCursor>;
    if (table == kEventIdTable) return Made(std::make_unique<MemoryEventIdCursor>(part_.event_ids()));
    if (table == kTypedAggregateTable) return Made(std::make_unique<MemoryTypedAggregateCursor>(part_.aggregates()));
    if (table == kAggregateTable) return Made(std::make_unique<MemoryAggregateCursor>(part_.aggregates()));
    return Made(std::make_unique<MemoryListCursor>(part_.lists(static_cast<KeyKind>(table))));
  }
  std::uint64_t times() const override { return part_.times().size(); }
  Result<IndexRun::TimeSample> time(std::uint64_t index) const override {
    return IndexRun::TimeSample{part_.times()[index].ordinal, part_.times()[index].time};
  }
  const std::optional<ReplayPoint>& replay() const override { return part_.replay(); }
  Position tail_first() const override {
    // Without all of them up to the end they are of no use.
    const Memtable::Tail& tail = part_.tail();
    const bool whole = part_.replay() && tail.segment == part_.replay()->log.segment &&
                       tail.first.plus(tail.offsets.size()) == part_.end();
    return whole ? tail.first : part_.end();
  }
  Result<std::vector<std::uint32_t>> tail_offsets() const override { return part_.tail().offsets; }

 private:
  const Memtable& part_;
};

class StoredCursor final : public KeyCursor {
 public:
  StoredCursor(const IndexRun& run, std::size_t table) : run_(run), table_(table), cursor_(run.table(table)) {}
  [[nodiscard]] Status start() { return cursor_.seek({}); }
  bool valid() const override { return cursor_.valid(); }
  std::string_view key() const override { return cursor_.key(); }
  Status next() override { return cursor_.next(); }
  Result<StoredAggregate> aggregate() override {
    std::string_view value = cursor_.value();
    StoredAggregate stored;
    if (!StoredAggregate::decode(value, stored)) return malformed();
    return stored;
  }
  Status ordinals(const OrdinalVisitor& visit) override {
    std::string_view value = cursor_.value();
    if (table_ == kEventIdTable) {
      std::uint64_t ordinal = 0;
      if (!take_varint(value, ordinal) || ordinal >= run_.size()) return malformed();
      return visit(static_cast<std::uint32_t>(ordinal));
    }
    StoredAggregate skipped;
    if (table_ == kAggregateTable && !StoredAggregate::decode(value, skipped)) return malformed();
    STELE_ASSIGN(StoredPostings list, StoredPostings::open(run_.file(), value));
    return list.for_each(
        [&](std::uint32_t ordinal) -> Status { return ordinal < run_.size() ? visit(ordinal) : Status(malformed()); });
  }

 private:
  [[nodiscard]] Error malformed() const {
    run_.file().mark_damaged();
    return Error{
        .kind = ErrorKind::Corrupt, .message = "an index run has a malformed value", .file = run_.file().path()};
  }

  const IndexRun& run_;
  const std::size_t table_;
  Table::Cursor cursor_;
};

class RunSource final : public TableSource {
 public:
  explicit RunSource(const IndexRun& run) : run_(run) {}
  Position first() const override { return run_.first(); }
  Position end() const override { return run_.end(); }
  std::uint64_t keys(std::size_t table) const override { return run_.directory().tables[table].keys; }
  Result<std::unique_ptr<KeyCursor>> cursor(std::size_t table) const override {
    auto cursor = std::make_unique<StoredCursor>(run_, table);
    STELE_TRY(cursor->start());
    return std::unique_ptr<KeyCursor>(std::move(cursor));
  }
  std::uint64_t times() const override { return run_.directory().times_count; }
  Result<IndexRun::TimeSample> time(std::uint64_t index) const override {
    IndexRun::TimeSample sample{};
    STELE_TRY(run_.time_samples(index, {&sample, 1}));
    return sample;
  }
  const std::optional<ReplayPoint>& replay() const override { return run_.directory().replay; }
  Position tail_first() const override { return run_.directory().tail_first; }
  Result<std::vector<std::uint32_t>> tail_offsets() const override { return run_.tail_offsets(); }

 private:
  const IndexRun& run_;
};

using Sources = std::vector<std::unique_ptr<TableSource>>;

/// The value of one key: lists of all sources that have it, one behind the other.
Status merge_values(std::size_t table, std::span<KeyCursor* const> having, std::span<const std::uint32_t> bases,
                    PostingWriter& postings, std::string& value) {
  value.clear();
  if (table == kTypedAggregateTable) return {};
  if (table == kEventIdTable) {
    // The log has no id twice; if it had, the first one counts.
    return having.front()->ordinals([&](std::uint32_t ordinal) -> Status {
      put_varint(value, bases.front() + ordinal);
      return {};
    });
  }
  if (table == kAggregateTable) {
    STELE_ASSIGN(StoredAggregate whole, having.front()->aggregate());
    STELE_ASSIGN(const StoredAggregate last, having.back()->aggregate());
    whole.last_sequence = last.last_sequence;
    whole.last_time = last.last_time;
    whole.last_ordinal = bases.back() + last.last_ordinal;
    whole.encode(value);
  }
  for (std::size_t i = 0; i < having.size(); ++i) {
    STELE_TRY(
        having[i]->ordinals([&, base = bases[i]](std::uint32_t ordinal) { return postings.push(base + ordinal); }));
  }
  return postings.finish(value);
}

Result<TableRoot> write_table(PageFileWriter& file, const Sources& sources, std::size_t table, std::uint64_t seed) {
  std::vector<std::unique_ptr<KeyCursor>> cursors;
  std::uint64_t keys_max = 0;
  for (const auto& source : sources) {
    STELE_ASSIGN(auto cursor, source->cursor(table));
    cursors.push_back(std::move(cursor));
    keys_max += source->keys(table);
  }
  TableWriter writer(file, seed, keys_max);
  PostingWriter postings(file);
  std::vector<KeyCursor*> having;
  std::vector<std::uint32_t> bases;
  std::string key, value;
  for (;;) {
    having.clear();
    bases.clear();
    std::optional<std::string_view> least;
    for (const auto& cursor : cursors) {
      if (cursor->valid() && (!least || cursor->key() < *least)) least = cursor->key();
    }
    if (!least) break;
    key = *least;
    for (std::size_t i = 0; i < cursors.size(); ++i) {
      if (!cursors[i]->valid() || cursors[i]->key() != key) continue;
      having.push_back(cursors[i].get());
      bases.push_back(static_cast<std::uint32_t>(sources[i]->first().since(sources.front()->first())));
    }
    STELE_TRY(merge_values(table, having, bases, postings, value));
    STELE_TRY(writer.add(key, value));
    for (KeyCursor* cursor : having) STELE_TRY(cursor->next());
  }
  return writer.finish();
}

Status write_times(PageFileWriter& file, const Sources& sources, RunDirectory& directory) {
  STELE_TRY(file.pad_to_page());
  directory.times_offset = file.offset();
  std::string bytes;
  for (const auto& source : sources) {
    const std::uint64_t base = source->first().since(directory.first);
    for (std::uint64_t i = 0; i < source->times(); ++i) {
      STELE_ASSIGN(const IndexRun::TimeSample sample, source->time(i));
      put<std::uint64_t>(bytes, base + sample.ordinal);
      put<std::int64_t>(bytes, sample.time.micros);
    }
    directory.times_count += source->times();
    STELE_TRY(file.append(bytes));
    bytes.clear();
  }
  return {};
}

/// Offsets are needed only for the segment that the newest record stands in: those of sealed segments are in their
/// footers.
Status write_tail(PageFileWriter& file, const Sources& sources, RunDirectory& directory) {
  directory.tail_first = directory.end;
  if (!directory.replay) return {};
  std::size_t begin = sources.size();
  while (begin > 0) {
    const TableSource& source = *sources[begin - 1];
    const bool same_segment = source.replay() && source.replay()->log.segment == directory.replay->log.segment;
    if (!same_segment || source.tail_first() == source.end()) break;
    --begin;
    directory.tail_first = source.tail_first();
    if (source.tail_first() != source.first()) break;
  }
  STELE_TRY(file.pad_to_page());
  directory.tail_offset = file.offset();
  for (std::size_t i = begin; i < sources.size(); ++i) {
    STELE_ASSIGN(const std::vector<std::uint32_t> offsets, sources[i]->tail_offsets());
    STELE_TRY(file.append({reinterpret_cast<const char*>(offsets.data()), offsets.size() * sizeof(std::uint32_t)}));
  }
  return {};
}

Status write_file(PageFileWriter& file, const Sources& sources, const RunFiles& files) {
  RunDirectory directory;
  directory.first = sources.front()->first();
  directory.end = sources.back()->end();
  directory.replay = sources.back()->replay();
  STELE_CHECK(directory.end.since(directory.first) <= UINT32_MAX);
  directory.filter_seed = files.filter_seed;
  for (std::size_t table = 0; table < kRunTables; ++table) {
    STELE_ASSIGN(directory.tables[table], write_table(file, sources, table, directory.filter_seed));
  }
  STELE_TRY(write_times(file, sources, directory));
  STELE_TRY(write_tail(file, sources, directory));
  return file.finish(kRunFile, files.store_id, directory.encode());
}

Result<std::shared_ptr<const IndexRun>> write(const RunFiles& files, const Sources& sources, RateLimiter* limiter) {
  const std::string path = files.folder + "/" + run_name(sources.front()->first(), sources.back()->end());
  const std::string unfinished = path + std::string(kUnfinishedSuffix);
  const auto make = [&]() -> Status {
    STELE_TRY(files.in_place());
    STELE_ASSIGN(const std::unique_ptr<PageFileWriter> file,
                 PageFileWriter::create(*files.file_system, unfinished, limiter));
    STELE_TRY(write_file(*file, sources, files));
    STELE_TRY(files.in_place());
    STELE_TRY(files.file_system->rename(unfinished, path));
    return files.file_system->sync_directory(files.folder);
  };
  if (Status made = make(); !made) {
    files.remove(unfinished);
    return made.error();
  }
  return IndexRun::open(*files.file_system, path, files.store_id);
}

}  // namespace

Result<std::shared_ptr<const IndexRun>> write_run(const RunFiles& files, const Memtable& part, RateLimiter* limiter) {
  Sources sources;
  sources.push_back(std::make_unique<MemorySource>(part));
  return write(files, sources, limiter);
}

Result<std::shared_ptr<const IndexRun>> compact_runs(const RunFiles& files,
                                                     std::span<const std::shared_ptr<const IndexRun>> runs,
                                                     RateLimiter* limiter) {
  Sources sources;
  for (const auto& run : runs) {
    STELE_CHECK(sources.empty() || sources.back()->end() == run->first());
    sources.push_back(std::make_unique<RunSource>(*run));
  }
  return write(files, sources, limiter);
}

}  // namespace stele
