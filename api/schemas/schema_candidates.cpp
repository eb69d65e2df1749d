#include "api/schemas/schema_candidates.h"

#include <chrono>
#include <exception>
#include <iterator>
#include <system_error>
#include <utility>

namespace stele::api {

namespace {

/// How long what cannot go on now waits.
constexpr std::chrono::milliseconds kLater{500};

}  // namespace

SchemaCandidates::SchemaCandidates(Store& store, SchemaRegistry& registry, const Clock& clock) {
  const auto all = registry.now();
  for (const auto& [event_type, schemas] : all->types) {
    if (!schemas->candidate) continue;
    auto check = std::make_unique<CandidateCheck>(store, registry, clock, event_type, schemas->candidate->position);
    take(check);
  }
}

SchemaCandidates::~SchemaCandidates() {
  begin_shutdown();
  if (thread_.joinable()) thread_.join();
}

void SchemaCandidates::begin_shutdown() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
}

void SchemaCandidates::take(std::unique_ptr<CandidateCheck>& check) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  jobs_.emplace_back();
  jobs_.back().position = check->position();
  jobs_.back().check = std::move(check);
  changed_.notify_all();
  if (thread_.joinable()) return;
  try {
    thread_ = std::thread([this] { work(); });
  } catch (const std::system_error&) {
    // There are too many threads now. The next one that comes tries again.
  }
}

std::optional<SchemaCandidates::Progress> SchemaCandidates::progress(Position candidate) const {
  const std::lock_guard lock(mutex_);
  for (const Job& job : jobs_) {
    if (job.position == candidate) return job.progress;
  }
  return std::nullopt;
}

CandidateCheck::Step SchemaCandidates::step(CandidateCheck& check) const {
  try {
    return check.step([this] { return stopping_.load(); });
  } catch (const std::exception&) {  // for want of memory
    return CandidateCheck::Step::Later;
  }
}

void SchemaCandidates::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    bool all_wait = true;
    for (auto job = jobs_.begin(); job != jobs_.end() && !stopping_;) {
      if (std::chrono::steady_clock::now() < job->not_before) {
        ++job;
        continue;
      }
      lock.unlock();
      const CandidateCheck::Step step = this->step(*job->check);
      lock.lock();
      if (const SchemaHistory* const history = job->check->history()) {
        job->progress = {history->checked(), history->failed()};
      }
      if (step == CandidateCheck::Step::Later) job->not_before = std::chrono::steady_clock::now() + kLater;
      all_wait = all_wait && step == CandidateCheck::Step::Later;
      job = step == CandidateCheck::Step::Ended ? jobs_.erase(job) : std::next(job);
    }
    if (stopping_) return;
    if (jobs_.empty()) {
      changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    } else if (all_wait) {
      changed_.wait_for(lock, kLater, [this] { return stopping_.load(); });
    }
  }
}

}  // namespace stele::api
