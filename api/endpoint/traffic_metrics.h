#pragma once
// Counts what passes between sockets and endpoints: net records, GET /metrics shows. Labels come from fixed tables
// (route patterns, methods, statuses, slugs), so that no client can make a new one.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>

#include "api/endpoint/endpoint_table.h"
#include "api/http/http.h"
#include "engine/base/histogram.h"

namespace stele::api {

struct ProblemKind;

/// In the order of Method.
inline constexpr std::array<std::string_view, 8> kMethodNames = {"GET",   "HEAD",   "POST",    "PUT",
                                                                 "PATCH", "DELETE", "OPTIONS", "other"};

/// Of the requests of one thread, so that threads do not write to each other's memory. Reading is for any thread.
class RequestCounts {
 public:
  RequestCounts();

  /// Counts an answer, by one thread at a time; its route must outlive the visits below. The first of a route and
  /// method takes memory, and is not counted if there is none. `nanos`: from the first byte of the request to the last
  /// of the answer; 0 = there is no such time, because the connection was refused or the answer did not get to its end.
  void record(const Response& response, Method method, std::uint64_t nanos) noexcept;

 private:
  friend class TrafficMetrics;
  /// Of one route and method.
  struct Cell {
    Cell(const Route* of, std::size_t statuses)
        : route(of), answers(std::make_unique<std::atomic<std::uint64_t>[]>(statuses)), nanos(kDurationBounds) {}
    const Route* const route;                                     ///< null = none
    const std::unique_ptr<std::atomic<std::uint64_t>[]> answers;  ///< by status
    Histogram nanos;
  };
  static constexpr std::size_t kCells = (kRoutesMax + 1) * kMethodNames.size();

  [[nodiscard]] Cell* cell(const Route* route, Method method) noexcept;

  std::array<std::atomic<Cell*>, kCells> cells_{};          // by route and method; null = nothing was counted
  std::deque<Cell> owned_;                                  // touched by the thread that records only
  std::unique_ptr<std::atomic<std::uint64_t>[]> problems_;  // by kind
};

/// Of all connections of a server.
struct ConnectionCounts {
  std::atomic<std::uint64_t> open{0};
  std::atomic<std::uint64_t> accepted{0};              ///< those refused included
  std::atomic<std::uint64_t> refused{0};               ///< for their number, with an answer
  std::atomic<std::uint64_t> refused_from_address{0};  ///< for their number from one address, with an answer
  std::atomic<std::uint64_t> refused_without_answer{0};
  std::atomic<std::uint64_t> handshakes_failed{0};
  std::atomic<std::uint64_t> answers_cut{0};  ///< that did not get to their end
  std::atomic<std::uint64_t> body_bytes{0};   ///< memory that holds request bodies and large answers
};

class TrafficMetrics {
 public:
  TrafficMetrics() = default;
  TrafficMetrics(const TrafficMetrics&) = delete;
  TrafficMetrics& operator=(const TrafficMetrics&) = delete;

  /// For one more thread; lives as long as this. Any thread.
  [[nodiscard]] RequestCounts& add_thread();
  [[nodiscard]] ConnectionCounts& connections() { return connections_; }
  [[nodiscard]] const ConnectionCounts& connections() const { return connections_; }
  /// Lines that the access log has lost.
  [[nodiscard]] std::atomic<std::uint64_t>& access_lines_dropped() { return access_lines_dropped_; }
  [[nodiscard]] std::uint64_t access_lines_dropped() const { return access_lines_dropped_.load(); }

  // What all threads have counted; combinations that never occurred are left out. `route` is the label of one, or
  // "none" for requests that were answered before they had one. Any thread.
  using VisitAnswers = std::function<void(std::string_view route, std::string_view method, std::string_view status,
                                          std::uint64_t count)>;
  using VisitDurations =
      std::function<void(std::string_view route, std::string_view method, const HistogramCounts& nanos)>;
  using VisitProblems = std::function<void(std::string_view slug, std::uint64_t count)>;
  void answers(const VisitAnswers& visit) const;
  void durations(const VisitDurations& visit) const;
  void problems(const VisitProblems& visit) const;

 private:
  /// Calls `visit(route, method, cells)` with what the threads have counted of each. The mutex is held.
  template <class Visit>
  void each_cell(const Visit& visit) const;

  mutable std::mutex mutex_;
  std::deque<RequestCounts> threads_;
  ConnectionCounts connections_;
  std::atomic<std::uint64_t> access_lines_dropped_{0};
};

}  // namespace stele::api
