#include "api/audit/checkpoint_keeper.h"

#include <algorithm>

#include "api/endpoint/own_events.h"
#include "engine/audit/merkle_tree.h"

namespace stele::api {

namespace {

constexpr std::int64_t kThinEveryMicros = 3'600'000'000;
constexpr std::chrono::milliseconds kTreeWaitInterval{50};

Error no_checkpoints(std::string message) {
  return Error{.kind = ErrorKind::InvalidArgument, .message = std::move(message)};
}

}  // namespace

CheckpointKeeper::CheckpointKeeper(Store& store, const CheckpointSettings& settings, const Clock& clock)
    : store_(store), settings_(settings), clock_(clock), thinned_at_(clock.monotonic_micros()) {
  work();
  if (settings_.in_background) thread_ = std::thread([this] { run(); });
}

CheckpointKeeper::~CheckpointKeeper() { stop(); }

void CheckpointKeeper::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopped_.notify_all();
  if (thread_.joinable()) thread_.join();
  covered_.close();
}

void CheckpointKeeper::run() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      const std::chrono::microseconds interval =
          waits_for_tree_ ? std::min<std::chrono::microseconds>(settings_.interval, kTreeWaitInterval)
                          : settings_.interval;
      if (stopped_.wait_for(lock, interval, [this] { return stop_; })) break;
    }
    work();
  }
  work();
}

std::shared_ptr<const PublishedCheckpoint> CheckpointKeeper::newest() const {
  const std::lock_guard lock(mutex_);
  return newest_;
}

bool CheckpointKeeper::waits_for_tree() const {
  const std::lock_guard lock(mutex_);
  return waits_for_tree_;
}

std::vector<LogKey> CheckpointKeeper::keys() const {
  const std::lock_guard lock(mutex_);
  return keys_.all();
}

void CheckpointKeeper::work() {
  const Status done = round();
  const std::lock_guard lock(mutex_);
  trouble_ = done ? std::string() : done.error().describe();
  waits_for_tree_ = !done && done.error().kind == ErrorKind::NotReady && !last_is_checked_;
}

Status CheckpointKeeper::round() {
  STELE_TRY(look_for_keys());
  STELE_TRY(retire_old_keys());
  STELE_TRY(check_last_signed());
  return sign();
}

Status CheckpointKeeper::announce(const RecordDraft& event) {
  const auto stored = append_own_event(store_, event);
  if (const auto* problem = std::get_if<Problem>(&stored)) {
    return no_checkpoints("the key of checkpoints could not be announced in the log: " + problem->detail());
  }
  const auto view = store_.view();
  STELE_ASSIGN(LogKeys keys, LogKeys::read(*view));
  const std::lock_guard lock(mutex_);
  keys_ = std::move(keys);
  return {};
}

Status CheckpointKeeper::look_for_keys() {
  if (!files_) {
    FileSystem& files = settings_.files != nullptr ? *settings_.files : posix_file_system();
    STELE_ASSIGN(files_, SigningKeyFiles::open(files, store_.origin(), settings_.keys_folder, settings_.signing_key,
                                               KeyStore::IfMissing::Create));
    const auto view = store_.view();
    STELE_ASSIGN(LogKeys keys, LogKeys::read(*view));
    const std::lock_guard lock(mutex_);
    keys_ = std::move(keys);
  }
  STELE_ASSIGN(auto seen, files_->look());
  if (seen == files_seen_ && !signers_.empty()) return {};
  signers_.clear();
  STELE_ASSIGN(set_, files_->read());
  const LogKey* const announced = keys_.current();
  if (!set_.current && announced == nullptr && settings_.signing_key.empty()) {
    STELE_ASSIGN(const NoteVerifier made, files_->create());
    STELE_ASSIGN(set_, files_->read());
  }
  if (!set_.current) {
    return no_checkpoints(
        "the key that signs checkpoints is not there: restore it, or, if it is lost, run stele key rotate --lost");
  }
  const NoteVerifier& current = set_.current->verifier();
  if (announced == nullptr) {
    STELE_TRY(announce(key_added(store_.origin(), current, nullptr, clock_)));
  } else if (announced->verifier != current) {
    const auto endorser = std::find_if(set_.before.begin(), set_.before.end(),
                                       [&](const NoteSigner& key) { return key.verifier() == announced->verifier; });
    if (endorser == set_.before.end() && set_.unendorsed_vkey != current.vkey()) {
      return no_checkpoints(
          "the key that signs checkpoints is another one than the log has announced: restore that, or run stele key "
          "rotate, which lets the old key vouch for the new one");
    }
    STELE_TRY(
        announce(key_added(store_.origin(), current, endorser == set_.before.end() ? nullptr : &*endorser, clock_)));
  }
  signers_.push_back(*set_.current);
  for (const NoteSigner& key : set_.before) {
    const auto signs = [&](const LogKey& known) { return known.verifier == key.verifier() && !known.until; };
    if (std::any_of(keys_.all().begin(), keys_.all().end(), signs)) signers_.push_back(key);
  }
  STELE_ASSIGN(files_seen_, files_->look());
  return {};
}

Status CheckpointKeeper::retire_old_keys() {
  const std::vector<LogKey>& all = keys_.all();
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    if (all[i].until) continue;
    Record record;
    STELE_TRY(store_.view()->read(all[i + 1].from, record));
    const auto since = std::chrono::microseconds(clock_.now().micros - record.header().time.micros);
    // One that could not vouch for the next is lost, or not to be trusted.
    if (all[i + 1].endorsed && since < settings_.key_overlap) continue;
    const NoteVerifier retired = all[i].verifier;
    STELE_TRY(announce(key_retired(store_.origin(), retired, clock_)));
    STELE_TRY(files_->forget(retired));
    files_seen_.clear();
    return look_for_keys();  // one a round
  }
  return {};
}

Status CheckpointKeeper::check_last_signed() {
  if (last_is_checked_) return {};
  STELE_ASSIGN(CheckpointFolder* const folder, store_.checkpoints());
  const auto last = folder->newest();
  if (last) {
    const std::uint64_t size = last->checkpoint.size;
    if (size > store_.durable_end().value()) {
      return no_checkpoints("the log ends at " + std::to_string(store_.durable_end().value()) +
                            ", before the checkpoint of size " + std::to_string(size) +
                            " that was signed over it: it was cut or is an old copy, and nothing more is signed");
    }
    STELE_ASSIGN(const Digest root, store_.tree().root(size));
    if (root != last->checkpoint.root) {
      return no_checkpoints("the log is not the one that the checkpoint of size " + std::to_string(size) +
                            " was signed over: nothing more is signed");
    }
    publish(last->checkpoint, last->note);
  }
  last_is_checked_ = true;
  return {};
}

Status CheckpointKeeper::sign() {
  const LogHead head = store_.head();
  const auto before = newest();
  STELE_ASSIGN(CheckpointFolder* const folder, store_.checkpoints());
  if (!before || before->checkpoint.size < head.size) {
    const Checkpoint checkpoint{.origin = store_.origin(), .size = head.size, .root = head.root, .extensions = {}};
    SignedNote note{.text = format_checkpoint(checkpoint), .signatures = {}};
    for (const NoteSigner& signer : signers_) sign_note(note, signer);
    STELE_TRY(folder->add(note, clock_.now(), false));
    publish(checkpoint, note);
    const std::lock_guard lock(mutex_);
    ++signed_;
  }
  const std::int64_t now = clock_.monotonic_micros();
  if (now - thinned_at_ < kThinEveryMicros) return {};
  thinned_at_ = now;
  return folder->thin(clock_.now());
}

void CheckpointKeeper::publish(const Checkpoint& checkpoint, const SignedNote& note) {
  auto published = std::make_shared<const PublishedCheckpoint>(PublishedCheckpoint{checkpoint, format_note(note)});
  {
    const std::lock_guard lock(mutex_);
    newest_ = std::move(published);
  }
  covered_.publish(Position{checkpoint.size});
}

SubjectReport CheckpointKeeper::report() const {
  const std::lock_guard lock(mutex_);
  SubjectReport report;
  if (!trouble_.empty()) report.warnings.push_back("no checkpoints are signed: " + trouble_);
  for (const LogKey& key : keys_.all()) {
    if (key.endorsed) continue;
    report.warnings.push_back("the key " + key.verifier.vkey() + " was announced without the one before it");
  }
  const std::uint64_t size = newest_ ? newest_->checkpoint.size : 0;
  report.members.emplace_back("checkpointSize", std::to_string(size));
  report.metrics.push_back({.kind = SubjectMetric::Kind::Gauge,
                            .name = "stele_checkpoint_size",
                            .help = "Leaves that the newest signed checkpoint covers.",
                            .samples = {{"", size}}});
  report.metrics.push_back({.kind = SubjectMetric::Kind::Counter,
                            .name = "stele_checkpoints_total",
                            .help = "Checkpoints signed since the start.",
                            .samples = {{"", signed_}}});
  return report;
}

}  // namespace stele::api
