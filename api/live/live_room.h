#pragma once
// What all live streams of a server share: the hub that feeds them, how many there may be, what is counted of them.

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "api/endpoint/options.h"
#include "api/endpoint/subject_report.h"
#include "engine/live/event_hub.h"
#include "engine/store/store.h"

namespace stele::api {

/// Thread-safe. Must outlive the streams; what it is made of must outlive it.
class LiveRoom {
 public:
  LiveRoom(Store& of, EventHub& feeder, const ServiceOptions& settings) : store(of), hub(feeder), options(settings) {}
  LiveRoom(const LiveRoom&) = delete;

  enum class Kind : std::uint8_t { EventSource, WebSocket };

  /// One of the streams that there may be, while it lives.
  class Place {
   public:
    Place(Place&& other) noexcept : open_(std::exchange(other.open_, nullptr)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (open_ != nullptr) open_->fetch_sub(1, std::memory_order_relaxed);
    }

   private:
    friend class LiveRoom;
    explicit Place(std::atomic<std::uint64_t>* open) : open_(open) {}
    std::atomic<std::uint64_t>* open_;
  };
  /// None if there are as many as there may be.
  [[nodiscard]] std::optional<Place> take_place(Kind kind);

  [[nodiscard]] SubjectReport report() const;

  Store& store;
  EventHub& hub;
  const ServiceOptions& options;
  std::atomic<std::uint64_t> events_sent{0};
  std::atomic<std::uint64_t> cut_for_slowness{0};
  std::atomic<std::uint64_t> cut_for_credentials{0};

 private:
  std::atomic<std::uint64_t> event_sources_{0};
  std::atomic<std::uint64_t> web_sockets_{0};
};

}  // namespace stele::api
