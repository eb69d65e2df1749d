#include "engine/index/index_compactor.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <new>

#include "engine/base/memory_reserve.h"

namespace stele {
namespace {

/// A full disk may have space again, a failing one may work again.
constexpr std::chrono::seconds kRetryAfter{1};
constexpr std::chrono::seconds kPauseMax{600};
constexpr int kCompactionNice = 10;

/// Runs of about the same size have the same class: 1 part, 4 parts, 16 parts …
unsigned size_class(std::uint64_t records, std::uint64_t part_records_max) {
  unsigned found = 0;
  for (std::uint64_t size = part_records_max * 2; records >= size && found < 32; size *= kCompactionFanout) ++found;
  return found;
}

/// What `make` gives, or an error like any other if there is no memory for it now.
template <class Make>
auto if_memory_lasts(Make make) -> decltype(make()) {
  try {
    return make();
  } catch (const std::bad_alloc&) {
    return Error{.kind = ErrorKind::Busy, .message = "there is no memory"};
  }
}

}  // namespace

IndexCompactor::IndexCompactor(IndexCompactorOptions options, IndexSet& set, ReadRecord read)
    : options_(std::move(options)),
      set_(set),
      read_(std::move(read)),
      compaction_limiter_(options_.compaction_bytes_per_second) {}

IndexCompactor::~IndexCompactor() { stop(); }

void IndexCompactor::start() {
  if (options_.compaction_bytes_per_second == 0) return;
  threads_.emplace_back([this] { run(Task::Flush); });
  threads_.emplace_back([this] { run(Task::Compact); });
}

void IndexCompactor::stop() {
  {
    const MutexLock lock(mutex_);
    stop_ = true;
  }
  flush_limiter_.stop();
  compaction_limiter_.stop();
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void IndexCompactor::work() {
  if (options_.compaction_bytes_per_second == 0) return work_off();
  {
    const MutexLock lock(mutex_);
    ++rounds_;
  }
  changed_.notify_all();
}

void IndexCompactor::work_off() {
  const MutexLock lock(work_off_mutex_);
  while (flush_one()) {
  }
  while (repair_one(flush_limiter_) || compact_one(flush_limiter_)) {
  }
}

bool IndexCompactor::may_try(Task task) const {
  const MutexLock lock(mutex_);
  return std::chrono::steady_clock::now() >= attempt(task).not_before;
}

Status IndexCompactor::wait_for_room() {
  if (has_room()) return {};
  if (options_.compaction_bytes_per_second == 0) work_off();
  MutexLock lock(mutex_);
  while (!has_room() && !attempt(Task::Flush).trouble && !stop_ && !threads_.empty()) changed_.wait(lock);
  if (has_room()) return {};
  return attempt(Task::Flush).trouble.value_or(Error{.kind = ErrorKind::Closed, .message = "closing"});
}

bool IndexCompactor::is_stuck() const {
  if (has_room()) return false;
  const MutexLock lock(mutex_);
  return attempt(Task::Flush).trouble.has_value();
}

bool IndexCompactor::compaction_due() const {
  const auto view = set_.view();
  return !due(view->runs()).empty();
}

std::string IndexCompactor::trouble() const {
  const MutexLock lock(mutex_);
  std::string text;
  const auto add = [&text](const Attempt& made, const char* what) {
    if (!made.trouble) return;
    text += (text.empty() ? "" : "; ") + std::string(what) + ": " + made.trouble->describe();
  };
  add(attempt(Task::Flush), "the index cannot be written");
  add(attempt(Task::Repair), "an index run cannot be made again");
  add(attempt(Task::Compact), "index runs cannot be compacted");
  return text;
}

void IndexCompactor::note(Task task, const Status& status) {
  {
    const MutexLock lock(mutex_);
    Attempt& made = attempts_[static_cast<std::size_t>(task)];
    if (status || status.error().kind == ErrorKind::Closed) {
      made = {};
    } else {
      made.trouble = status.error();
      made.not_before = std::chrono::steady_clock::now() + made.pause;
      // Appends may wait for a flush.
      if (task != Task::Flush) made.pause = std::min(made.pause * 2, kPauseMax);
    }
  }
  changed_.notify_all();
}

void IndexCompactor::run(Task task) {
  prepare_thread_memory();
  (void)prctl(PR_SET_NAME, task == Task::Flush ? "index flush" : "index compact", 0UL, 0UL, 0UL);
  // Of a thread on Linux. Flushing holds appends up when it is late, merging never does.
  if (task == Task::Compact) (void)setpriority(PRIO_PROCESS, 0, kCompactionNice);
  MutexLock lock(mutex_);
  while (!stop_) {
    const std::uint64_t seen = rounds_;
    lock.unlock();
    bool worked = false;
    if (task == Task::Flush) {
      worked = may_try(Task::Flush) && flush_one();
    } else {
      worked = (may_try(Task::Repair) && repair_one(compaction_limiter_)) ||
               (may_try(Task::Compact) && compact_one(compaction_limiter_));
    }
    lock.lock();
    if (worked) continue;
    const auto again = std::chrono::steady_clock::now() + kRetryAfter;
    while (!stop_ && rounds_ == seen && changed_.wait_until(lock, again)) {
    }
  }
}

bool IndexCompactor::flush_one() {
  const auto view = set_.view();
  if (view->immutable().empty()) return false;
  auto run = if_memory_lasts([&] { return write_run(options_.files, *view->immutable().front(), &flush_limiter_); });
  if (!run) {
    note(Task::Flush, run.error());
    return false;
  }
  set_.flushed(std::move(*run));
  // The last one to let go of a part frees some hundred thousand blocks: that should be this thread.
  std::erase_if(written_, [](const auto& part) { return part.use_count() == 1; });
  written_.push_back(view->immutable().front());
  {
    const MutexLock lock(mutex_);
    ++rounds_;  // for the thread that merges
  }
  note(Task::Flush, {});
  return true;
}

std::span<const std::shared_ptr<const IndexRun>> IndexCompactor::due(const RunList& runs) const {
  // Older runs are never taken for smaller than newer ones, so that none stays behind alone between bigger neighbours.
  std::vector<unsigned> classes(runs.size());
  for (std::size_t i = runs.size(); i-- > 0;) {
    classes[i] = size_class(runs[i]->size(), options_.part_records_max);
    if (i + 1 < runs.size()) classes[i] = std::max(classes[i], classes[i + 1]);
  }
  // The smallest class first, because a big merge can wait; of a class the oldest, so that the order by size stays.
  for (std::size_t end = runs.size(); end > 0;) {
    std::size_t begin = end - 1;
    while (begin > 0 && classes[begin - 1] == classes[end - 1]) --begin;
    const auto inputs = std::span(runs).subspan(begin);
    if (end - begin >= kCompactionFanout &&
        std::none_of(inputs.begin(), inputs.begin() + kCompactionFanout,
                     [](const auto& run) { return run->damaged(); }) &&
        inputs[kCompactionFanout - 1]->end().since(inputs[0]->first()) <= UINT32_MAX) {
      return inputs.first(kCompactionFanout);
    }
    end = begin;
  }
  return {};
}

bool IndexCompactor::compact_one(RateLimiter& limiter) {
  const auto view = set_.view();
  const auto inputs = due(view->runs());
  if (inputs.empty()) return false;
  auto merged = if_memory_lasts([&] { return compact_runs(options_.files, inputs, &limiter); });
  note(Task::Compact, merged ? Status{} : Status(merged.error()));
  if (!merged) return false;
  set_.replace(inputs, {std::move(*merged)});
  remove_files(inputs);
  return true;
}

bool IndexCompactor::repair_one(RateLimiter& limiter) {
  const auto view = set_.view();
  for (const auto& run : view->runs()) {
    if (!run->damaged()) continue;
    auto made = if_memory_lasts([&] {
      return rebuild_runs(options_.files, run->first(), run->end(), options_.part_records_max, run->directory().replay,
                          read_, &limiter);
    });
    note(Task::Repair, made ? Status{} : Status(made.error()));
    if (!made) return false;
    const std::string name = run->file().path();
    const bool same_name = made->front()->file().path() == name;
    set_.replace({&run, 1}, std::move(*made));
    if (!same_name) remove_files({&run, 1});
    return true;
  }
  return false;
}

void IndexCompactor::remove_files(std::span<const std::shared_ptr<const IndexRun>> runs) {
  // Readers keep what they have mapped.
  for (const auto& run : runs) options_.files.remove(run->file().path());
}

Result<RunList> rebuild_runs(const RunFiles& files, Position first, Position end, std::uint64_t part_records_max,
                             const std::optional<ReplayPoint>& replay, const IndexCompactor::ReadRecord& read,
                             RateLimiter* limiter) {
  RunList runs;
  const auto make_all = [&]() -> Status {
    Record record;
    for (Position at = first; at < end;) {
      Memtable part(at);
      for (; at < end && part.size() < part_records_max; at = at.next()) {
        STELE_TRY(read(at, record));
        part.insert({&record.header(), 1}, {});
      }
      part.make_immutable(at == end ? replay : std::nullopt);
      STELE_ASSIGN(std::shared_ptr<const IndexRun> run, write_run(files, part, limiter));
      runs.push_back(std::move(run));
    }
    return {};
  };
  if (Status made = make_all(); !made) {
    for (const auto& run : runs) files.remove(run->file().path());
    return made.error();
  }
  return runs;
}

}  // namespace stele
