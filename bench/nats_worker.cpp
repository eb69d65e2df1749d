#include "bench/nats_worker.h"

#include <stdexcept>
#include <utility>

namespace stele::bench {
namespace {

void check(natsStatus status, const char* what) {
  if (status != NATS_OK) throw std::runtime_error(std::string(what) + ": " + natsStatus_GetText(status));
}

}  // namespace

NatsWorker::NatsWorker(std::string url, const EventPoolOptions& events, std::size_t in_flight_max)
    : url_(std::move(url)), pool_(events), in_flight_max_(in_flight_max), result_(std::make_unique<LoadResult>()) {}

NatsWorker::~NatsWorker() {
  jsCtx_Destroy(stream_);
  natsConnection_Destroy(connection_);
}

void NatsWorker::connect_all() {
  check(natsConnection_ConnectTo(&connection_, url_.c_str()), "connect");
  jsOptions options;
  check(jsOptions_Init(&options), "options");
  options.PublishAsync.MaxPending = static_cast<std::int64_t>(in_flight_max_);
  options.PublishAsync.StallWait = 10'000;
  options.PublishAsync.AckHandler = acknowledged;
  options.PublishAsync.AckHandlerClosure = this;
  check(natsConnection_JetStream(&stream_, connection_, &options), "JetStream");
}

void NatsWorker::run(const LoadSchedule& schedule) {
  schedule_ = schedule;
  std::string event(pool_.event_bytes_max(), '\0');
  for (std::uint64_t now = steady_nanos(); now < schedule.end; now = steady_nanos()) {
    pool_.set_time(unix_micros());
    const std::string_view json = pool_.write_event(event.data()).json;
    {
      const std::lock_guard lock(mutex_);
      started_.push_back(now);
    }
    // Waits while as many as may be are unanswered.
    check(js_PublishAsync(stream_, "events", json.data(), static_cast<int>(json.size()), nullptr), "publish");
  }
  jsPubOptions wait;
  check(jsPubOptions_Init(&wait), "options");
  wait.MaxWait = 10'000;
  check(js_PublishAsyncComplete(stream_, &wait), "acknowledgements");
}

void NatsWorker::acknowledged(jsCtx*, natsMsg* message, jsPubAck*, jsPubAckErr* error, void* worker) {
  auto& self = *static_cast<NatsWorker*>(worker);
  const std::uint64_t now = steady_nanos();
  {
    const std::lock_guard lock(self.mutex_);
    const std::uint64_t started = self.started_.front();
    self.started_.pop_front();
    if (error != nullptr && self.result_->first_error.empty()) self.result_->first_error = error->ErrText;
    if (now >= self.schedule_.measure_from && now < self.schedule_.end) {
      ++self.result_->by_status[error == nullptr ? 200 : 500];
      self.result_->bytes_sent += static_cast<std::uint64_t>(natsMsg_GetDataLength(message));
      if (error == nullptr) self.result_->latency.record(now - started);
    }
  }
  natsMsg_Destroy(message);
}

}  // namespace stele::bench
