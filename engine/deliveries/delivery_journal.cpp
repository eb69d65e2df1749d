#include "engine/deliveries/delivery_journal.h"

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "engine/base/bytes.h"
#include "engine/base/check.h"
#include "engine/base/digest.h"
#include "engine/base/no_thread.h"
#include "engine/base/numbered_file.h"
#include "engine/base/zeros.h"

namespace stele {
namespace {

constexpr std::string_view kJournalMagic = "STELEDLV";
constexpr std::uint32_t kJournalVersion = 1;
constexpr std::size_t kJournalHeaderBytes = 48;
constexpr std::size_t kJournalFrameBytes = 24;
constexpr std::size_t kPayloadBytesMax = 64U << 20;
constexpr std::string_view kJournalSuffix = ".journal";

enum class JournalFrameKind : std::uint32_t {
  Steps = 1,
  Forgotten = 2,
  Complete = 3,  ///< behind the states that a file begins with: it replaces the one before
};

std::string journal_header(const Uuid& store, std::uint64_t number) {
  std::string header(kJournalMagic);
  put<std::uint32_t>(header, kJournalVersion);
  put<std::uint32_t>(header, 0);
  header += as_bytes(store);
  put<std::uint64_t>(header, number);
  put<std::uint64_t>(header, xxh3(header));
  return header;
}

/// A frame is checked against the number of its file, so that none of another file is taken for it.
std::uint64_t checksum_of(std::string_view head, std::uint64_t number, std::string_view payload) {
  std::string all(head);
  put<std::uint64_t>(all, number);
  all += payload;
  return xxh3(all);
}

/// Its checksum is that of no file yet; see seal_frames().
void append_frame(std::string& to, JournalFrameKind kind, SubscriptionKey subscription, std::string_view payload) {
  STELE_CHECK(payload.size() <= kPayloadBytesMax);
  put<std::uint32_t>(to, static_cast<std::uint32_t>(payload.size()));
  put<std::uint32_t>(to, static_cast<std::uint32_t>(kind));
  put<std::uint64_t>(to, subscription.value());
  put<std::uint64_t>(to, 0);
  to += payload;
}

void seal_frames(std::string& frames, std::uint64_t number) {
  for (std::size_t at = 0; at < frames.size();) {
    const std::size_t payload = get_at<std::uint32_t>(frames.data() + at);
    const std::string_view all = frames;
    put_at<std::uint64_t>(frames.data() + at + 16,
                          checksum_of(all.substr(at, 16), number, all.substr(at + kJournalFrameBytes, payload)));
    at += kJournalFrameBytes + payload;
  }
}

struct Frame {
  JournalFrameKind kind = JournalFrameKind::Steps;
  SubscriptionKey subscription;
  std::string_view payload;
};
/// None where the whole frames end.
std::optional<Frame> take_frame(std::string_view& bytes, std::uint64_t number) {
  if (bytes.size() < kJournalFrameBytes) return std::nullopt;
  const std::size_t payload = get_at<std::uint32_t>(bytes.data());
  if (payload > kPayloadBytesMax || bytes.size() - kJournalFrameBytes < payload) return std::nullopt;
  Frame frame{static_cast<JournalFrameKind>(get_at<std::uint32_t>(bytes.data() + 4)),
              SubscriptionKey{get_at<std::uint64_t>(bytes.data() + 8)}, bytes.substr(kJournalFrameBytes, payload)};
  if (get_at<std::uint64_t>(bytes.data() + 16) != checksum_of(bytes.substr(0, 16), number, frame.payload)) {
    return std::nullopt;
  }
  bytes.remove_prefix(kJournalFrameBytes + payload);
  return frame;
}

using States = std::map<SubscriptionKey, DeliveryState>;

bool apply_steps(DeliveryState& state, std::string_view payload) {
  while (!payload.empty()) {
    const auto step = take_step(payload);
    if (!step || !apply_step(state, *step)) return false;
  }
  return true;
}

/// What the whole frames come to; none if they do not tell all (the file was not finished). `doubt` is set where one
/// makes no sense although it is whole.
std::optional<States> states_of(std::string_view frames, std::uint64_t number, bool& doubt) {
  const std::string_view all = frames;
  std::string_view frames_read = all.substr(0, 0);
  States states;
  bool complete = false;
  while (const auto frame = take_frame(frames, number)) {
    bool good = true;
    switch (frame->kind) {
      case JournalFrameKind::Steps:
        good = apply_steps(states[frame->subscription], frame->payload);
        break;
      case JournalFrameKind::Forgotten:
        states.erase(frame->subscription);
        break;
      case JournalFrameKind::Complete:
        complete = true;
        break;
      default:
        good = false;
    }
    if (!good) {
      // Some of its steps may have been applied: once more, without it.
      doubt = true;
      return states_of(frames_read, number, doubt);
    }
    frames_read = all.substr(0, all.size() - frames.size());
  }
  if (!complete) return std::nullopt;
  return states;
}

std::string frames_of(const States& states) {
  std::string frames;
  for (const auto& [subscription, state] : states) {
    std::string steps;
    for (const DeliveryStep& step : steps_to(state)) {
      append_step(steps, step);
      if (steps.size() < kPayloadBytesMax / 4) continue;
      append_frame(frames, JournalFrameKind::Steps, subscription, steps);
      steps.clear();
    }
    append_frame(frames, JournalFrameKind::Steps, subscription, steps);
  }
  append_frame(frames, JournalFrameKind::Complete, SubscriptionKey{}, {});
  return frames;
}

Error journal_closed() { return Error{.kind = ErrorKind::Closed, .message = "the journal of deliveries is closed"}; }

}  // namespace

DeliveryJournal::DeliveryJournal(DeliveryJournalOptions options) : options_(std::move(options)) {
  STELE_CHECK(options_.file_system != nullptr && options_.clock != nullptr);
}

Result<std::unique_ptr<DeliveryJournal>> DeliveryJournal::open(DeliveryJournalOptions options) {
  std::unique_ptr<DeliveryJournal> journal(new DeliveryJournal(std::move(options)));
  if (Status loaded = journal->load(); !loaded) {
    const MutexLock lock(journal->mutex_);
    journal->closed_ = true;
    return loaded.error();
  }
  {
    const MutexLock lock(journal->mutex_);
    journal->write_group();
  }
  if (!journal->options_.background) return journal;
  try {
    journal->thread_ = std::thread([self = journal.get()] { self->run(); });
  } catch (const std::system_error& error) {
    return no_thread(error, "the journal of deliveries");
  }
  return journal;
}

DeliveryJournal::~DeliveryJournal() {
  {
    // Without its thread it was never open, and its end must not wait for what only the thread does.
    const MutexLock lock(mutex_);
    if (options_.background && !thread_.joinable()) closed_ = true;
  }
  (void)close();
}

std::string DeliveryJournal::path(std::uint64_t number) const {
  return options_.folder + "/" + numbered_file_name(number, kJournalSuffix);
}

Status DeliveryJournal::load() {
  FileSystem& disk = *options_.file_system;
  if (options_.in_place) STELE_TRY(options_.in_place());
  STELE_TRY(disk.create_folders(options_.folder));
  STELE_ASSIGN(const std::vector<std::string> names, disk.list(options_.folder));
  std::vector<std::uint64_t> numbers;
  for (const std::string& name : names) {
    if (const auto number = parse_numbered_file_name(name, kJournalSuffix)) numbers.push_back(*number);
  }
  std::sort(numbers.rbegin(), numbers.rend());
  number_ = numbers.empty() ? 0 : numbers.front();
  for (const std::uint64_t number : numbers) {
    const auto file = disk.open(path(number), OpenMode::Read);
    if (!file && file.error().kind == ErrorKind::NotFound) continue;
    // What cannot be read now may be whole all the same: it is not to be replaced by something older.
    if (!file) return file.error();
    STELE_ASSIGN(const std::uint64_t size, (*file)->size());
    std::string bytes(size, '\0');
    STELE_TRY((*file)->read_at(ByteOffset{0}, bytes));
    if (bytes.size() < kJournalHeaderBytes || !std::string_view(bytes).starts_with(kJournalMagic))
      continue;  // not finished
    if (xxh3(std::string_view(bytes).substr(0, kJournalHeaderBytes - 8)) != get_at<std::uint64_t>(bytes.data() + 40)) {
      notes_.push_back("the header of a journal of deliveries is damaged [" + path(number) + "]");
      continue;
    }
    if (get_at<std::uint32_t>(bytes.data() + 8) != kJournalVersion) {
      return Error{.kind = ErrorKind::NewerFormat, .message = "a newer journal of deliveries", .file = path(number)};
    }
    if (bytes.substr(0, kJournalHeaderBytes) != journal_header(options_.store_id, number)) {
      return Error{
          .kind = ErrorKind::Foreign, .message = "a journal of another store's deliveries", .file = path(number)};
    }
    bool doubt = false;
    auto states = states_of(std::string_view(bytes).substr(kJournalHeaderBytes), number, doubt);
    if (doubt) notes_.push_back("a journal of deliveries makes no sense from some place on [" + path(number) + "]");
    if (!states) continue;
    const MutexLock lock(mutex_);
    states_ = std::move(*states);
    return {};
  }
  if (!numbers.empty()) {
    notes_.push_back("no journal of deliveries can be used: they go on where the log says [" + options_.folder + "]");
  }
  return {};
}

std::map<SubscriptionKey, DeliveryState> DeliveryJournal::states() const {
  const MutexLock lock(mutex_);
  return states_;
}

DeliveryState DeliveryJournal::state(SubscriptionKey subscription) const {
  const MutexLock lock(mutex_);
  const auto found = states_.find(subscription);
  return found == states_.end() ? DeliveryState() : found->second;
}

void DeliveryJournal::append(SubscriptionKey subscription, const std::vector<DeliveryStep>& steps, Durable durable) {
  {
    const MutexLock lock(mutex_);
    if (!closed_) {
      DeliveryState& state = states_[subscription];
      std::string payload;
      for (const DeliveryStep& step : steps) {
        STELE_CHECK(apply_step(state, step));
        append_step(payload, step);
      }
      metrics_.steps += steps.size();
      steps_waiting_ += steps.size();
      const bool is_first = waiting_.empty() && !outgrown_;
      if (is_first) waiting_since_ = options_.clock->monotonic_micros();
      // Otherwise the thread knows already when to write, or is at it.
      const bool is_news = !urgent_ && (is_first || durable);
      if (payload.size() <= kPayloadBytesMax) {
        append_frame(waiting_, JournalFrameKind::Steps, subscription, payload);
      } else {
        outgrown_ = true;  // the states have it
      }
      if (durable) {
        callbacks_.push_back(std::move(durable));
        urgent_ = true;
      }
      if (!options_.background) {
        write_group();
      } else if (is_news) {
        changed_.notify_all();
      }
      return;
    }
  }
  if (durable) durable(journal_closed());
}

void DeliveryJournal::forget(SubscriptionKey subscription) {
  const MutexLock lock(mutex_);
  if (closed_ || states_.erase(subscription) == 0) return;
  if (waiting_.empty() && !outgrown_) waiting_since_ = options_.clock->monotonic_micros();
  append_frame(waiting_, JournalFrameKind::Forgotten, subscription, {});
  if (!options_.background) {
    write_group();
  } else {
    changed_.notify_all();
  }
}

void DeliveryJournal::run() {
  const MutexLock lock(mutex_);
  while (!closed_) {
    const std::int64_t now = options_.clock->monotonic_micros();
    const std::int64_t delay = std::chrono::microseconds(options_.sync_delay).count();
    std::optional<std::int64_t> due;
    if (!last_) due = retry_at_;
    if (!waiting_.empty() || outgrown_) due = std::max(waiting_since_ + delay, retry_at_);
    if (urgent_) due = now;  // whoever waits is told of trouble, and waits no longer
    if (due && *due <= now) {
      const std::int64_t gathering = std::exchange(gathering_until_, 0) - now;
      if (gathering > 0) changed_.wait_for(mutex_, std::chrono::microseconds(gathering));
      write_group();
    } else if (due) {
      changed_.wait_for(mutex_, std::chrono::microseconds(*due - now));
    } else {
      changed_.wait(mutex_);
    }
  }
}

void DeliveryJournal::write_group() {
  while (writing_) changed_.wait(mutex_);
  writing_ = true;
  Status written;
  std::vector<Durable> callbacks;
  const auto take = [&]() REQUIRES(mutex_) {
    for (Durable& callback : callbacks_) callbacks.push_back(std::move(callback));
    callbacks_.clear();
    const bool are_many = std::exchange(steps_waiting_, 0) >= options_.gather_steps_min;
    gathering_until_ = are_many ? options_.clock->monotonic_micros() + options_.gather_time.count() : 0;
    urgent_ = false;
    outgrown_ = false;
    return std::exchange(waiting_, {});
  };
  const std::uint64_t room = std::max(options_.rewrite_bytes_min, 2 * anew_size_);
  bool anew = file_ == nullptr || outgrown_ || size_ + waiting_.size() > room;
  if (!anew) {
    std::string frames = take();
    const MutexUnlock unlocked(mutex_);
    seal_frames(frames, number_);
    written = file_->write_at(ByteOffset{size_}, frames);
    size_ += frames.size();
    if (written) put_zeros_ahead();
    if (written) written = file_->sync_data();
    if (!written) {
      // What the file holds now nobody knows, and nothing tells after a sync that failed: it is not written to again.
      file_ = nullptr;
      anew = true;
    }
  }
  if (anew) {
    if (!written) ++metrics_.failures;
    (void)take();  // the states have it
    const std::string frames = frames_of(states_);
    const MutexUnlock unlocked(mutex_);
    written = write_anew(frames);
  }
  ++(written ? metrics_.syncs : metrics_.failures);
  metrics_.rewrites += anew && written ? 1 : 0;
  metrics_.file_bytes = size_;
  if (!written)
    retry_at_ = options_.clock->monotonic_micros() + std::chrono::microseconds(options_.retry_delay).count();
  last_ = written;
  writing_ = false;
  changed_.notify_all();
  const MutexUnlock unlocked(mutex_);
  for (const Durable& callback : callbacks) callback(written);
}

Status DeliveryJournal::write_anew(const std::string& states) {
  FileSystem& disk = *options_.file_system;
  file_ = nullptr;
  if (options_.in_place) STELE_TRY(options_.in_place());
  const std::uint64_t number = ++number_;
  STELE_ASSIGN(std::unique_ptr<File> file, disk.open(path(number), OpenMode::CreateNew));
  std::string bytes = states;
  seal_frames(bytes, number);
  bytes.insert(0, journal_header(options_.store_id, number));
  STELE_TRY(file->write_at(ByteOffset{0}, bytes));
  STELE_TRY(file->sync_data());
  STELE_TRY(disk.sync_directory(options_.folder));
  file_ = std::move(file);
  size_ = anew_size_ = zeros_end_ = bytes.size();
  remove_files_before(number);
  return {};
}

/// To sync what was written over zeros takes a third of the processor's time, and half of the time, of syncing a file
/// that has grown: the file system has nothing of its own to write. If there is no room for zeros, nothing is lost.
void DeliveryJournal::put_zeros_ahead() {
  if (size_ <= zeros_end_) return;
  zeros_end_ = size_ + options_.zeros_ahead;
  (void)write_zeros(*file_, size_, zeros_end_);
}

/// That one is left does no harm: the newest that is whole counts.
void DeliveryJournal::remove_files_before(std::uint64_t number) {
  const auto names = options_.file_system->list(options_.folder);
  if (!names) return;
  for (const std::string& name : *names) {
    const auto old = parse_numbered_file_name(name, kJournalSuffix);
    if (old && *old < number) (void)options_.file_system->remove(path(*old));
  }
}

void DeliveryJournal::tell_when_written(Durable durable) {
  {
    const MutexLock lock(mutex_);
    if (!closed_) {
      callbacks_.push_back(std::move(durable));
      urgent_ = true;
      changed_.notify_all();
      return;
    }
  }
  durable(journal_closed());
}

Status DeliveryJournal::flush() {
  Status result = journal_closed();
  if (options_.background) {
    Mutex mutex;
    ConditionVariable done;
    bool told = false;
    tell_when_written([&](const Status& status) {
      const MutexLock lock(mutex);
      result = status;
      told = true;
      done.notify_all();
    });
    const MutexLock lock(mutex);
    while (!told) done.wait(mutex);
    return result;
  }
  const MutexLock lock(mutex_);
  if (closed_) return result;
  write_group();
  return last_;
}

Status DeliveryJournal::close() {
  Status flushed = flush();
  {
    const MutexLock lock(mutex_);
    if (closed_) return {};
    closed_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  std::vector<Durable> too_late;
  {
    const MutexLock lock(mutex_);
    too_late.swap(callbacks_);
  }
  for (const Durable& callback : too_late) callback(journal_closed());
  return flushed;
}

std::string DeliveryJournal::trouble() const {
  const MutexLock lock(mutex_);
  return last_ ? std::string() : last_.error().describe();
}

DeliveryJournal::Metrics DeliveryJournal::metrics() const {
  const MutexLock lock(mutex_);
  return metrics_;
}

}  // namespace stele
