#include "net/worker/script_fold.h"

#include <algorithm>
#include <array>
#include <utility>

#include "api/http/problem.h"
#include "engine/base/bytes.h"
#include "engine/base/check.h"

namespace stele::net {

namespace {

using namespace std::chrono_literals;
using api::FoldFailure;
using FailureKind = FoldFailure::Kind;

constexpr std::size_t kBatchBytes = 128U << 10;
constexpr std::uint64_t kBatchEventsMax = 512;
constexpr std::size_t kBytesInFlightMax = 4U << 20;
constexpr auto kLookEvery = 50ms;
/// What a worker may be late by with its own limits, before the kernel ends it.
constexpr auto kCpuReserve = 5s;

FoldFailure make(FailureKind kind, std::string message, std::string limit = {}) {
  FoldFailure failure;
  failure.kind = kind;
  failure.message = std::move(message);
  failure.limit = std::move(limit);
  return failure;
}

}  // namespace

std::string_view kill_cause_of(const FoldFailure& failure) {
  static constexpr std::array<std::string_view, 7> kLimits{"call-time", "state-time", "replay-time", "memory",
                                                           "stack",     "state-size", "system-call"};
  if (failure.kind == FailureKind::Abandoned) return "abandoned";
  if (failure.kind == FailureKind::Limit) {
    const auto* const found = std::find(kLimits.begin(), kLimits.end(), failure.limit);
    if (found != kLimits.end()) return *found;
  }
  return "died";
}

api::UpcastFailure upcast_failure_of(const FoldFailure& failure) {
  api::UpcastFailure upcast;
  const auto passing = [&](std::string_view slug, std::string detail) {
    upcast.passes = true;
    upcast.slug = slug;
    upcast.detail = std::move(detail);
  };
  switch (failure.kind) {
    case FailureKind::Syntax:
      upcast.detail = "The upcaster is no function: " + failure.message;
      break;
    case FailureKind::Threw:
      upcast.detail = "The upcaster threw: " + failure.message;
      break;
    case FailureKind::NoJson:
      upcast.detail = "What the upcaster gave is not JSON: " + failure.message;
      break;
    case FailureKind::Limit:
      if (failure.limit == "replay-time") {
        passing("unavailable", "There is no time left to upcast it.");
      } else {
        upcast.detail = "The upcaster went beyond its limit (" + failure.limit + ").";
      }
      break;
    case FailureKind::Died:
      passing(api::kWorkerDied, "The process that ran the upcaster ended. Try again.");
      break;
    case FailureKind::Busy:
      passing("busy", "Every process that runs scripts is busy.");
      break;
    case FailureKind::Unavailable:
      passing("handlers-unavailable", "Scripts cannot be run here: " + failure.message);
      break;
    case FailureKind::Abandoned:
      passing("unavailable", "Nobody waits for it any more.");
      break;
  }
  upcast.detail = api::printable(clean_text(upcast.detail, kMessageBytesMax));
  upcast.pointer = failure.pointer;
  upcast.line = failure.line;
  upcast.column = failure.column;
  return upcast;
}

ScriptFold::ScriptFold(std::unique_ptr<WorkerProcess> process, const api::ScriptStart& start, GiveBack give_back)
    : process_(std::move(process)),
      give_back_(std::move(give_back)),
      abandoned_(start.abandoned),
      aliases_(start.aliases),
      deadline_(start.deadline),
      state_bytes_max_(start.state_bytes_max),
      call_time_(std::clamp<std::chrono::milliseconds>(start.call_time, 1ms, 60'000ms)) {
  number_ = static_cast<std::uint32_t>(++process_->folds);
}

ScriptFold::~ScriptFold() {
  if (process_ == nullptr) return;
  // It is at rest, or passes over what it is still sent: it can begin anew. Else nobody knows how long it would take.
  const bool at_rest = sent_ == out_.size() && (failure_ ? true : (started_ || upcasts_only_) && in_flight_.empty());
  std::string end;
  append_empty(end, FrameType::End, number_);
  const bool ended = at_rest && process_->send(end) == end.size();
  if (!ended) process_->kill();
  give_back_(std::move(process_), ended ? std::string_view() : "abandoned");
}

std::optional<FoldFailure> ScriptFold::begin(const api::ScriptStart& start) {
  if (start.source.size() + start.state.value_or("").size() > kFramePayloadBytesMax / 2) {
    fail(make(FailureKind::Limit, "source and state are too large", "state-size"));
    return failure_;
  }
  prepare();
  append_start(out_, number_,
               {.call_time_ms = static_cast<std::uint32_t>(call_time_.count()),
                .state_bytes_max = state_bytes_max_,
                .state = start.state,
                .source = start.source});
  return exchange([this] { return started_; });
}

void ScriptFold::begin_upcasts() {
  prepare();
  upcasts_only_ = true;
}

void ScriptFold::prepare() {
  const auto left = std::max(deadline_ - std::chrono::steady_clock::now(), std::chrono::steady_clock::duration(0));
  // Threads of the engine count too.
  process_->limit_cpu(std::chrono::duration_cast<std::chrono::milliseconds>(2 * left) + kCpuReserve);
  process_->replies().set_state_bytes_max(state_bytes_max_);
}

std::optional<FoldFailure> ScriptFold::settle() {
  if (failure_) return failure_;
  close_batch();
  return exchange([this] { return in_flight_.empty(); });
}

std::variant<std::uint32_t, api::UpcastFailure> ScriptFold::number_of(std::string_view source) {
  const auto known = std::find(upcasters_.begin(), upcasters_.end(), source);
  const auto number = static_cast<std::uint32_t>(known - upcasters_.begin());
  if (known != upcasters_.end()) return number;
  close_batch();
  upcaster_fault_.reset();
  evaluating_ = true;
  append_upcaster(out_, number_,
                  {.call_time_ms = static_cast<std::uint32_t>(call_time_.count()),
                   .result_bytes_max = state_bytes_max_,
                   .source = source});
  if (const auto failure = exchange([this] { return !evaluating_; })) return upcast_failure_of(*failure);
  if (upcaster_fault_) return upcast_failure_of(*upcaster_fault_);
  upcasters_.emplace_back(source);
  return number;
}

std::optional<api::UpcastFailure> ScriptFold::check(std::string_view source) {
  if (failure_) return upcast_failure_of(*failure_);
  const auto number = number_of(source);
  const auto* const failure = std::get_if<api::UpcastFailure>(&number);
  return failure == nullptr ? std::nullopt : std::optional(*failure);
}

void ScriptFold::run(std::string_view source, std::span<Task> tasks) {
  if (failure_ || tasks.empty()) return;
  const auto number = number_of(source);
  if (const auto* const failure = std::get_if<api::UpcastFailure>(&number)) {
    for (Task& task : tasks) {
      task.failure = *failure;
      if (failure_) return;  // the others may have more luck
    }
    return;
  }
  close_batch();
  tasks_ = tasks;
  tasks_sent_ = tasks_done_ = tasks_bytes_ = 0;
  while (tasks_sent_ < tasks.size() && !failure_) {
    const std::size_t begun = begin_frame(out_, FrameType::Upcast, number_);
    put<std::uint32_t>(out_, std::get<std::uint32_t>(number));
    for (std::uint64_t i = 0; i < kBatchEventsMax && tasks_sent_ < tasks.size(); ++i) {
      append_event(out_, *tasks[tasks_sent_].event, tasks[tasks_sent_].data);
      tasks_bytes_ += tasks[tasks_sent_++].data.size();
      if (out_.size() - begun >= kBatchBytes) break;
    }
    end_frame(out_, begun);
    (void)exchange([this] { return tasks_bytes_ <= kBytesInFlightMax; });
  }
  if (!failure_) (void)exchange([this] { return tasks_done_ == tasks_.size(); });
  if (failure_ && !is_told_ && tasks_done_ < tasks_sent_) {
    tasks[tasks_done_].failure = upcast_failure_of(*failure_);
  }
  tasks_ = {};
}

std::optional<FoldFailure> ScriptFold::apply(const Record& event, const api::Upcast* upcast) {
  if (failure_) return failure_;
  const std::size_t upcast_bytes = upcast != nullptr && upcast->data ? upcast->data->size() : 0;
  const std::size_t longest = record_bytes_max(event.header(), event.body()) + upcast_bytes;
  if (longest > kFramePayloadBytesMax / 2) {
    fail_and_kill(make(FailureKind::Limit, "an event is too large for a script", "memory"));
    return failure_;
  }
  if (!batch_begun_) batch_begun_ = begin_frame(out_, FrameType::Events, number_);
  append_event(out_, event, upcast, aliases_.get());
  ++events_;
  ++batch_events_;
  if (out_.size() - *batch_begun_ < kBatchBytes && batch_events_ < kBatchEventsMax) return std::nullopt;
  close_batch();
  return exchange([this] { return bytes_in_flight_ <= kBytesInFlightMax || in_flight_.size() <= 1; });
}

std::variant<api::FoldState, FoldFailure> ScriptFold::state() {
  if (!failure_) {
    close_batch();
    append_empty(out_, FrameType::Finish, number_);
    state_.reset();
    (void)exchange([this] { return state_.has_value(); });
  }
  if (failure_) return *failure_;
  return api::FoldState{
      .json = std::move(*state_), .applied = counts_.applied, .ignored = counts_.ignored, .redacted = counts_.redacted};
}

void ScriptFold::close_batch() {
  if (!batch_begun_) return;
  end_frame(out_, *batch_begun_);
  in_flight_.push_back({batch_events_, out_.size() - *batch_begun_});
  bytes_in_flight_ += in_flight_.back().bytes;
  batch_begun_.reset();
  batch_events_ = 0;
}

std::optional<FoldFailure> ScriptFold::exchange(const std::function<bool()>& done) {
  while (!failure_) {
    if (sent_ < out_.size()) {
      const auto sent = process_->send(std::string_view(out_).substr(sent_));
      if (!sent) {
        worker_is_gone();
        break;
      }
      sent_ += *sent;
    }
    if (!process_->receive()) {
      take_replies();  // what it said before it ended
      if (!failure_) worker_is_gone();
      break;
    }
    take_replies();
    if (failure_) break;
    if (sent_ == out_.size()) {
      out_.clear();
      sent_ = 0;
    }
    const bool complete = out_.empty() && done();
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline_ && !complete) {
      fail_and_kill(make(FailureKind::Limit, "the replay took too long", "replay-time"));
      break;
    }
    if (now >= next_look_) {
      next_look_ = now + kLookEvery;
      if (abandoned_ && abandoned_()) {
        fail_and_kill(make(FailureKind::Abandoned, "nobody waits for the replay any more"));
        break;
      }
    }
    if (complete) return std::nullopt;
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::min(deadline_, next_look_) - now) + 1ms;
    process_->wait(!out_.empty(), left);
  }
  return failure_;
}

void ScriptFold::take_replies() {
  while (!failure_) {
    auto next = process_->replies().next();
    if (std::holds_alternative<ReplyReader::More>(next)) return;
    if (auto* const reply = std::get_if<WorkerReply>(&next); reply != nullptr) {
      take(*reply);
      continue;
    }
    fail_and_kill(make(FailureKind::Died, "the process that runs scripts said what it must not say"));
  }
}

void ScriptFold::take(WorkerReply& reply) {
  if (reply.fold != number_) return;  // of an earlier fold, which nobody waited for any more
  const auto wrong = [this] {
    fail_and_kill(make(FailureKind::Died, "the process that runs scripts said what it must not say"));
  };
  switch (reply.type) {
    case FrameType::Started:
      if (started_) return wrong();
      started_ = true;
      return;
    case FrameType::Done: {
      if (in_flight_.empty()) return wrong();
      const Batch batch = in_flight_.front();
      in_flight_.pop_front();
      bytes_in_flight_ -= batch.bytes;
      if (reply.counts.applied > batch.events || reply.counts.ignored != batch.events - reply.counts.applied ||
          reply.counts.redacted > batch.events) {
        return wrong();
      }
      counts_.applied += reply.counts.applied;
      counts_.ignored += reply.counts.ignored;
      counts_.redacted += reply.counts.redacted;
      return;
    }
    case FrameType::Evaluated:
      if (!evaluating_) return wrong();
      evaluating_ = false;
      return;
    case FrameType::Upcasted:
    case FrameType::UpcastFailed:
      if (!evaluating_ && tasks_done_ >= tasks_sent_) return wrong();
      if (evaluating_ && reply.type == FrameType::Upcasted) return wrong();
      return take_upcast(reply);
    case FrameType::State:
      if (!in_flight_.empty() || state_ || upcasts_only_) return wrong();
      state_ = std::move(reply.text);
      return;
    case FrameType::Failed:
      if (reply.failure.event && *reply.failure.event >= events_) return wrong();
      if (reply.failure.kind == FailureKind::Limit) {
        fail_and_kill(std::move(reply.failure));
      } else {
        fail(std::move(reply.failure));
      }
      return;
    default:
      return wrong();
  }
}

void ScriptFold::take_upcast(WorkerReply& reply) {
  if (evaluating_) {
    evaluating_ = false;
    upcaster_fault_ = reply.failure;
  } else {
    Task& task = tasks_[tasks_done_++];
    tasks_bytes_ -= task.data.size();
    if (reply.type == FrameType::Upcasted) {
      task.result = std::move(reply.text);
    } else {
      task.failure = upcast_failure_of(reply.failure);
    }
  }
  if (reply.type == FrameType::UpcastFailed && reply.failure.kind == FailureKind::Limit) {
    is_told_ = true;
    fail_and_kill(std::move(reply.failure));
  }
}

void ScriptFold::fail(FoldFailure failure) {
  if (failure_) return;
  failure_ = std::move(failure);
}

void ScriptFold::fail_and_kill(FoldFailure failure) {
  STELE_CHECK(process_ != nullptr);
  fail(std::move(failure));
  process_->kill();
  give_back_(std::move(process_), kill_cause_of(*failure_));
}

void ScriptFold::worker_is_gone() { fail_and_kill(failure_of_exit(process_->wait_for_end())); }

}  // namespace stele::net
