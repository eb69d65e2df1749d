#include "api/audit/anchors.h"

#include <chrono>
#include <exception>
#include <new>
#include <utility>

#include "api/json/json_writer.h"

namespace stele::api {

namespace {

constexpr std::size_t kWaitingMax = 1'000;  ///< some hours, or weeks where nothing is witnessed
constexpr std::chrono::seconds kAnchorRetryTime{10};

Status write_to(Anchor& anchor, const AnchoredNote& note) {
  try {
    return anchor.write(note);
  } catch (const std::exception&) {  // there is no memory
    return Error{.kind = ErrorKind::Busy, .message = "there is no memory for it"};
  }
}

}  // namespace

Anchors::Anchors(std::vector<std::unique_ptr<Anchor>> anchors, bool in_background) {
  for (std::unique_ptr<Anchor>& anchor : anchors) {
    lanes_.push_back(std::make_unique<Lane>());
    lanes_.back()->anchor = std::move(anchor);
  }
  if (!in_background) return;
  try {
    for (const auto& lane : lanes_) lane->thread = std::thread([this, &to = *lane] { run(to); });
  } catch (...) {
    stop();  // those that were started
    throw;
  }
}

Anchors::~Anchors() { stop(); }

void Anchors::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (const auto& lane : lanes_) lane->anchor->cancel();
  for (const auto& lane : lanes_) {
    if (lane->thread.joinable()) lane->thread.join();
  }
}

void Anchors::offer(const AnchoredNote& note) {
  const std::lock_guard lock(mutex_);
  for (const auto& lane : lanes_) {
    if (lane->waiting.size() == kWaitingMax) {
      lane->waiting.pop_front();
      ++lane->dropped;
    }
    lane->waiting.push_back(note);
  }
  changed_.notify_all();
}

void Anchors::work() {
  std::unique_lock lock(mutex_);
  for (const auto& lane : lanes_) {
    while (write_one(*lane, lock)) {
    }
  }
}

void Anchors::run(Lane& lane) {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (lane.waiting.empty()) {
      changed_.wait(lock);
      continue;
    }
    bool written = false;
    try {
      written = write_one(lane, lock);
    } catch (const std::bad_alloc&) {
      // It is tried again like anything else.
    }
    if (!written) changed_.wait_for(lock, kAnchorRetryTime, [this] { return stop_; });
  }
}

bool Anchors::write_one(Lane& lane, std::unique_lock<std::mutex>& lock) {
  if (lane.waiting.empty()) return false;
  const AnchoredNote note = lane.waiting.front();
  const std::uint64_t dropped = lane.dropped;
  lock.unlock();
  const Status written = write_to(*lane.anchor, note);
  lock.lock();
  if (!written) {
    ++lane.failures;
    const Error& error = written.error();
    lane.trouble = error.os_error != 0 ? error.describe() : error.message;
    return false;
  }
  if (lane.dropped == dropped) lane.waiting.pop_front();
  lane.trouble.clear();
  lane.size = note.checkpoint.size;
  ++lane.written;
  return true;
}

SubjectReport Anchors::report() const {
  SubjectReport report;
  std::string members;
  JsonWriter json(members);
  json.begin_array();
  std::uint64_t written = 0, failures = 0, dropped = 0, waiting = 0;
  const std::lock_guard lock(mutex_);
  for (const auto& lane : lanes_) {
    json.begin_object().key("kind").string(lane->anchor->kind()).key("size").number(lane->size);
    json.key("waiting").number(lane->waiting.size()).end_object();
    written += lane->written;
    failures += lane->failures;
    dropped += lane->dropped;
    waiting += lane->waiting.size();
    if (lane->trouble.empty()) continue;
    report.warnings.push_back("checkpoints are not anchored (" + std::string(lane->anchor->kind()) +
                              "): " + lane->trouble);
  }
  json.end_array();
  report.members.emplace_back("anchors", std::move(members));
  if (lanes_.empty()) return report;
  const auto metric = [&](SubjectMetric::Kind kind, const char* name, const char* help, std::uint64_t value) {
    report.metrics.push_back({.kind = kind, .name = name, .help = help, .samples = {{"", value}}});
  };
  metric(SubjectMetric::Kind::Counter, "stele_anchored_total", "Checkpoints written to anchors.", written);
  metric(SubjectMetric::Kind::Counter, "stele_anchor_failures_total", "Attempts to write one that failed.", failures);
  metric(SubjectMetric::Kind::Counter, "stele_anchor_dropped_total", "Checkpoints that gave way to newer ones.",
         dropped);
  metric(SubjectMetric::Kind::Gauge, "stele_anchor_waiting", "Checkpoints that wait for an anchor.", waiting);
  return report;
}

}  // namespace stele::api
