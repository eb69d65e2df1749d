#include "api/audit/witnesses.h"

#include <algorithm>
#include <new>
#include <utility>

#include "api/audit/file_anchor.h"
#include "api/audit/redis_stream_anchor.h"
#include "api/json/json_writer.h"
#include "api/json/timestamp.h"
#include "engine/audit/checkpoint_folder.h"
#include "engine/audit/merkle_tree.h"

namespace stele::api {

namespace {

using Verdict = WitnessDialogue::Verdict;

constexpr std::chrono::microseconds kAnchorEvery = std::chrono::hours{1};
constexpr std::chrono::milliseconds kLookEvery{200};  ///< for a first checkpoint, and whether a round is due
/// A witness that was not well for so many rounds is told of.
constexpr int kRoundsUntilWarning = 6;

constexpr const char* kNobodyOutside =
    R"("no checkpoint leaves this server, as it has no --witness and no --anchor: whoever holds its key can rewrite )"
    R"(the log unseen, but for checkpoints that somebody has fetched")";

std::vector<std::unique_ptr<Anchor>> anchors_of(const WitnessSettings& settings, RedisSender* redis,
                                                FileSystem& files) {
  std::vector<std::unique_ptr<Anchor>> all;
  for (const std::string& path : settings.anchor_files) all.push_back(std::make_unique<FileAnchor>(files, path));
  for (const std::string& key : settings.anchor_streams)
    all.push_back(std::make_unique<RedisStreamAnchor>(*redis, key));
  return all;
}

std::int64_t micros_of(std::chrono::microseconds time) { return time.count(); }

}  // namespace

Witnesses::Witnesses(Store& store, const CheckpointKeeper& keeper, WebhookSender* sender, RedisSender* redis,
                     const WitnessSettings& settings, FileSystem& files, const Clock& clock)
    : store_(store),
      keeper_(keeper),
      sender_(sender),
      settings_(settings),
      clock_(clock),
      anchors_(anchors_of(settings, redis, files), settings.in_background) {
  STELE_CHECK(settings_.witnesses.empty() || sender_ != nullptr);
  for (const WitnessSettings::Address& address : settings_.witnesses) {
    witnesses_.push_back(std::make_unique<Known>(Known{.dialogue = WitnessDialogue(address), .at = {}}));
    witnesses_.back()->well_at = clock_.monotonic_micros();
  }
  inbox_->answers.resize(witnesses_.size());
  const bool has_work = !witnesses_.empty() || !anchors_.empty();
  if (settings_.in_background && has_work) thread_ = std::thread([this] { run(); });
}

Witnesses::~Witnesses() { stop(); }

void Witnesses::stop() {
  {
    const std::lock_guard lock(inbox_->mutex);
    inbox_->stop = true;
  }
  inbox_->changed.notify_all();
  if (thread_.joinable()) thread_.join();
  anchors_.stop();
}

void Witnesses::run() {
  while (true) {
    try {
      work();
    } catch (const std::bad_alloc&) {
      // Another round will do it.
    }
    std::unique_lock lock(inbox_->mutex);
    inbox_->changed.wait_for(lock, std::min(kLookEvery, settings_.interval),
                             [this] { return inbox_->stop || inbox_->has_some; });
    if (inbox_->stop) return;
  }
}

void Witnesses::take_answers() {
  {
    const std::lock_guard lock(inbox_->mutex);
    inbox_->has_some = false;
  }
  for (std::size_t i = 0; i < witnesses_.size(); ++i) {
    std::optional<WebhookAnswer> answer;
    {
      const std::lock_guard lock(inbox_->mutex);
      answer = std::exchange(inbox_->answers[i], std::nullopt);
    }
    if (answer) take(i, *answer);
  }
}

void Witnesses::work() {
  take_answers();
  if (!round_is_over_ && !round_goes_on()) end_round();
  const std::int64_t now = clock_.monotonic_micros();
  if (!round_began_ || now - *round_began_ >= micros_of(settings_.interval)) begin_round();
  if (!settings_.in_background) anchors_.work();
}

std::shared_ptr<const PublishedCheckpoint> Witnesses::newest() const {
  if (witnesses_.empty()) return keeper_.newest();
  const std::lock_guard lock(mutex_);
  // Before the first round: the one that it will be about, or what came before that.
  if (shown_ == nullptr) shown_ = keeper_.newest();
  return shown_;
}

void Witnesses::begin_round() {
  const auto newest = keeper_.newest();
  if (newest == nullptr) return;
  auto note = parse_note(newest->note);
  if (!note) return;                 // more keys have signed it than a note may have signatures
  if (!round_is_over_) end_round();  // who has not answered is asked again when it has
  round_began_ = clock_.monotonic_micros();
  ++round_;
  if (note->text != note_.text) {
    note_ = *std::move(note);
    checkpoint_ = newest->checkpoint;
  }
  round_is_over_ = false;
  for (std::size_t i = 0; i < witnesses_.size(); ++i) {
    Known& witness = *witnesses_[i];
    if (witness.busy) continue;
    witness.asked_again = false;
    if (!has_cosigned(witness, note_)) {
      ask(i);
      continue;
    }
    const std::lock_guard lock(mutex_);
    witness.well_at = clock_.monotonic_micros();
  }
  if (!round_goes_on()) end_round();
}

bool Witnesses::round_goes_on() const {
  return std::any_of(witnesses_.begin(), witnesses_.end(),
                     [this](const auto& witness) { return witness->busy && witness->round == round_; });
}

void Witnesses::end_round() {
  round_is_over_ = true;
  if (!witnesses_.empty()) show(note_, checkpoint_);
  anchor_round();
}

void Witnesses::show(const SignedNote& note, const Checkpoint& checkpoint) {
  auto shown = std::make_shared<const PublishedCheckpoint>(PublishedCheckpoint{checkpoint, format_note(note)});
  const std::lock_guard lock(mutex_);
  if (shown_ != nullptr && shown_->checkpoint.size > checkpoint.size) return;
  shown_ = std::move(shown);
}

void Witnesses::anchor_round() {
  if (anchors_.empty() || note_ == anchored_) return;
  const bool is_witnessed = std::any_of(witnesses_.begin(), witnesses_.end(),
                                        [this](const auto& witness) { return has_cosigned(*witness, note_); });
  const std::int64_t now = clock_.monotonic_micros();
  const bool is_due = anchored_.text.empty() || now - anchored_at_ >= micros_of(kAnchorEvery);
  if (!is_witnessed && !is_due) return;
  anchors_.offer({.checkpoint = checkpoint_, .note = note_});
  anchored_ = note_;
  anchored_at_ = now;
}

bool Witnesses::has_cosigned(const Known& witness, const SignedNote& note) const {
  const NoteVerifier& key = witness.dialogue.verifier();
  return std::any_of(note.signatures.begin(), note.signatures.end(), [&](const NoteSignature& signature) {
    return signature.key_name == key.name() && signature.key_id == key.id();
  });
}

void Witnesses::ask(std::size_t index) {
  Known& witness = *witnesses_[index];
  const std::uint64_t old_size = witness.dialogue.cosigned_size();
  std::vector<Digest> path;
  if (old_size != 0 && old_size < checkpoint_.size) {
    auto made = store_.tree().consistency(old_size, checkpoint_.size);
    if (!made) return failed(witness, "the proof for it cannot be made: " + made.error().describe(), false);
    path = *std::move(made);
  }
  // Beyond this checkpoint it has to be asked what it knows: by the size of nothing.
  if (old_size > checkpoint_.size) witness.dialogue.forget_size();
  witness.asked = note_;
  witness.asked_size = checkpoint_.size;
  witness.round = round_;
  witness.busy = true;
  try {
    sender_->send(witness.dialogue.request(note_, std::move(path), settings_.timeout),
                  [inbox = inbox_, index](WebhookAnswer answer) {
                    const std::lock_guard lock(inbox->mutex);
                    inbox->answers[index] = std::move(answer);
                    inbox->has_some = true;
                    inbox->changed.notify_all();
                  });
  } catch (const std::bad_alloc&) {
    witness.busy = false;
    failed(witness, "there is no memory for it", false);
  }
}

void Witnesses::failed(Known& witness, std::string detail, bool disputed) {
  const std::lock_guard lock(mutex_);
  ++witness.failures;
  witness.trouble = std::move(detail);
  witness.disputed = disputed;
}

void Witnesses::take(std::size_t index, const WebhookAnswer& answer) {
  Known& witness = *witnesses_[index];
  witness.busy = false;
  Verdict verdict = witness.dialogue.take(answer, witness.asked, witness.asked_size);
  if (verdict.kind == Verdict::Kind::AskAgain && witness.round == round_ && !witness.asked_again) {
    witness.asked_again = true;
    return ask(index);
  }
  if (verdict.kind != Verdict::Kind::Cosigned) {
    return failed(witness, std::move(verdict.detail), verdict.kind == Verdict::Kind::Disputed);
  }
  if (const Status kept = keep(witness.asked, verdict.cosignature); !kept) {
    return failed(witness, "its cosignature cannot be kept: " + kept.error().describe(), false);
  }
  const std::lock_guard lock(mutex_);
  witness.size = witness.asked_size;
  witness.at = clock_.now();
  witness.well_at = clock_.monotonic_micros();
  witness.trouble.clear();
  witness.disputed = false;
}

Status Witnesses::keep(const SignedNote& note, const NoteSignature& cosignature) {
  SignedNote cosigned = note;
  cosigned.signatures.push_back(cosignature);
  STELE_ASSIGN(CheckpointFolder* const folder, store_.checkpoints());
  STELE_TRY(folder->add(cosigned, clock_.now(), true));
  if (note.text != note_.text) return {};  // of an earlier round
  note_.signatures.push_back(cosignature);
  if (!round_is_over_) return {};
  show(note_, checkpoint_);
  anchor_round();
  return {};
}

SubjectReport Witnesses::report() const {
  SubjectReport report = anchors_.report();
  std::string members;
  JsonWriter json(members);
  SubjectMetric size{.kind = SubjectMetric::Kind::Gauge,
                     .name = "stele_witness_size",
                     .help = "Leaves that the last checkpoint covers that a witness has cosigned.",
                     .label = "witness"};
  SubjectMetric failures{.kind = SubjectMetric::Kind::Counter,
                         .name = "stele_witness_failures_total",
                         .help = "Requests to a witness that ended without a cosignature.",
                         .label = "witness"};
  const std::int64_t now = clock_.monotonic_micros();
  json.begin_array();
  const std::lock_guard lock(mutex_);
  for (const auto& witness : witnesses_) {
    const std::string& name = witness->dialogue.verifier().name();
    json.begin_object().key("name").string(name).key("size").number(witness->size).key("cosignedAt");
    if (witness->at) {
      json.string(format_timestamp(*witness->at));
    } else {
      json.null();
    }
    json.end_object();
    size.samples.emplace_back(name, witness->size);
    failures.samples.emplace_back(name, witness->failures);
    const bool is_late = now - witness->well_at > kRoundsUntilWarning * micros_of(settings_.interval);
    if (witness->disputed) {
      report.warnings.push_back("the witness " + name + " disputes this log: " + witness->trouble);
    } else if (is_late && !witness->trouble.empty()) {
      report.warnings.push_back("the witness " + name + " does not cosign: " + witness->trouble);
    }
  }
  json.end_array();
  report.members.emplace_back("witnesses", std::move(members));
  report.members.emplace_back("checkpointCaveat", witnesses_.empty() && anchors_.empty() ? kNobodyOutside : "null");
  if (witnesses_.empty()) return report;
  report.metrics.push_back(std::move(size));
  report.metrics.push_back(std::move(failures));
  return report;
}

}  // namespace stele::api
