#include "api/endpoint/traffic_metrics.h"

#include <algorithm>
#include <string>
#include <vector>

#include "api/endpoint/router.h"
#include "api/http/problem.h"

namespace stele::api {

namespace {

constexpr std::array<std::string_view, 8> kMethods = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"};

/// The statuses that answers have, each with a slot of its own; slot 0 is for any other.
class Statuses {
 public:
  Statuses() {
    std::vector<int> all = {200, 201, 202, 204, 206, 304};
    for (const ProblemKind& kind : problem_kinds()) all.push_back(kind.status);
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    for (const int status : all) {
      slots_[static_cast<std::size_t>(status)] = static_cast<std::uint8_t>(names_.size());
      names_.push_back(std::to_string(status));
    }
  }
  [[nodiscard]] std::size_t slot(int status) const {
    return status < 0 || static_cast<std::size_t>(status) >= slots_.size() ? 0 : slots_[static_cast<std::size_t>(status)];
  }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

 private:
  std::array<std::uint8_t, 600> slots_{};
  std::vector<std::string> names_{"other"};
};

const Statuses& statuses() {
  static const Statuses all;
  return all;
}

/// Slot 0 is for requests without a route.
std::size_t slot_of(const Route* route) {
  return route == nullptr ? 0 : static_cast<std::size_t>(route - routes().data()) + 1;
}
std::string_view route_name(std::size_t slot) { return slot == 0 ? "none" : routes()[slot - 1].pattern; }

std::size_t cell(std::size_t route, std::size_t method) { return route * kMethods.size() + method; }
std::size_t cells() { return (routes().size() + 1) * kMethods.size(); }

}  // namespace

RequestCounts::RequestCounts()
    : answers_(std::make_unique<std::atomic<std::uint64_t>[]>(cells() * statuses().names().size())),
      problems_(std::make_unique<std::atomic<std::uint64_t>[]>(problem_kinds().size())) {
  for (std::size_t i = 0; i < cells(); ++i) nanos_.emplace_back(kDurationBounds);
}

void RequestCounts::record(const Response& response, Method method, std::uint64_t nanos) noexcept {
  const std::size_t at = cell(slot_of(response.route), static_cast<std::size_t>(method));
  answers_[at * statuses().names().size() + statuses().slot(response.status)].fetch_add(1, std::memory_order_relaxed);
  if (nanos > 0) nanos_[at].record(nanos);
  if (response.problem == nullptr) return;
  const auto kind = static_cast<std::size_t>(response.problem - problem_kinds().data());
  problems_[kind].fetch_add(1, std::memory_order_relaxed);
}

RequestCounts& TrafficMetrics::add_thread() {
  const std::lock_guard lock(mutex_);
  return threads_.emplace_back();
}

void TrafficMetrics::answers(const VisitAnswers& visit) const {
  const std::lock_guard lock(mutex_);
  const auto& names = statuses().names();
  for (std::size_t i = 0; i < cells() * names.size(); ++i) {
    std::uint64_t count = 0;
    for (const RequestCounts& thread : threads_) count += thread.answers_[i].load(std::memory_order_relaxed);
    const std::size_t at = i / names.size();
    if (count > 0) visit(route_name(at / kMethods.size()), kMethods[at % kMethods.size()], names[i % names.size()], count);
  }
}

void TrafficMetrics::durations(const VisitDurations& visit) const {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < cells() && !threads_.empty(); ++i) {
    HistogramCounts nanos = threads_.front().nanos_[i].counts();
    for (std::size_t t = 1; t < threads_.size(); ++t) nanos.add(threads_[t].nanos_[i].counts());
    if (nanos.count() > 0) visit(route_name(i / kMethods.size()), kMethods[i % kMethods.size()], nanos);
  }
}

void TrafficMetrics::problems(const VisitProblems& visit) const {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < problem_kinds().size(); ++i) {
    std::uint64_t count = 0;
    for (const RequestCounts& thread : threads_) count += thread.problems_[i].load(std::memory_order_relaxed);
    if (count > 0) visit(problem_kinds()[i].slug, count);
  }
}

}  // namespace stele::api
