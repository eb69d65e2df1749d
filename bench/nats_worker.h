#pragma once
// NATS JetStream through its C client: one connection that publishes without waiting, up to a number of unanswered
// events.

#include <nats/nats.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "bench/event_pool.h"
#include "bench/worker.h"

namespace stele::bench {

/// Publishes to the subject `events`, which a stream must listen to. Acknowledgements come on the client's own thread.
class NatsWorker final : public Worker {
 public:
  NatsWorker(std::string url, const EventPoolOptions& events, std::size_t in_flight_max);
  ~NatsWorker() override;
  NatsWorker(const NatsWorker&) = delete;
  NatsWorker& operator=(const NatsWorker&) = delete;

  void connect_all() override;
  void run(const LoadSchedule& schedule) override;
  [[nodiscard]] const LoadResult& result() const override { return *result_; }

 private:
  static void acknowledged(jsCtx* stream, natsMsg* message, jsPubAck* ack, jsPubAckErr* error, void* worker);

  std::string url_;
  EventPool pool_;
  std::size_t in_flight_max_;
  natsConnection* connection_ = nullptr;
  jsCtx* stream_ = nullptr;
  LoadSchedule schedule_;
  std::mutex mutex_;                   ///< guards what follows
  std::deque<std::uint64_t> started_;  ///< of the unanswered events; a stream answers in order
  std::unique_ptr<LoadResult> result_;
};

}  // namespace stele::bench
