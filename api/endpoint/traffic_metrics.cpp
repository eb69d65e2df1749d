#include "api/endpoint/traffic_metrics.h"

#include <algorithm>
#include <new>
#include <string>
#include <vector>

#include "api/http/problem.h"

namespace stele::api {

namespace {

/// The statuses that answers have, each with a slot of its own; slot 0 is for any other.
class Statuses {
 public:
  Statuses() {
    std::vector<int> all = {101, 200, 201, 202, 204, 206, 304};
    for (const ProblemKind& kind : problem_kinds()) all.push_back(kind.status);
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    for (const int status : all) {
      slots_[static_cast<std::size_t>(status)] = static_cast<std::uint8_t>(names_.size());
      names_.push_back(std::to_string(status));
    }
  }
  [[nodiscard]] std::size_t slot(int status) const {
    return status < 0 || static_cast<std::size_t>(status) >= slots_.size() ? 0
                                                                           : slots_[static_cast<std::size_t>(status)];
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

std::string_view label_of(const Route* route) { return route == nullptr ? std::string_view("none") : route->label; }

}  // namespace

RequestCounts::RequestCounts() : problems_(std::make_unique<std::atomic<std::uint64_t>[]>(problem_kinds().size())) {}

RequestCounts::Cell* RequestCounts::cell(const Route* route, Method method) noexcept {
  const std::size_t number = route == nullptr ? 0 : route->number;
  std::atomic<Cell*>& found = cells_[number * kMethodNames.size() + static_cast<std::size_t>(method)];
  Cell* known = found.load(std::memory_order_relaxed);
  if (known != nullptr) return known;
  try {
    known = &owned_.emplace_back(route, statuses().names().size());
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  found.store(known, std::memory_order_release);
  return known;
}

void RequestCounts::record(const Response& response, Method method, std::uint64_t nanos) noexcept {
  if (Cell* const at = cell(response.route, method)) {
    at->answers[statuses().slot(response.status)].fetch_add(1, std::memory_order_relaxed);
    if (nanos > 0) at->nanos.record(nanos);
  }
  if (response.problem == nullptr) return;
  const auto kind = static_cast<std::size_t>(response.problem - problem_kinds().data());
  problems_[kind].fetch_add(1, std::memory_order_relaxed);
}

RequestCounts& TrafficMetrics::add_thread() {
  const std::lock_guard lock(mutex_);
  return threads_.emplace_back();
}

template <class Visit>
void TrafficMetrics::each_cell(const Visit& visit) const {
  std::vector<const RequestCounts::Cell*> found;  // of the threads that have it
  for (std::size_t i = 0; i < RequestCounts::kCells; ++i) {
    found.clear();
    for (const RequestCounts& thread : threads_) {
      if (const auto* const cell = thread.cells_[i].load(std::memory_order_acquire)) found.push_back(cell);
    }
    if (!found.empty()) visit(label_of(found.front()->route), kMethodNames[i % kMethodNames.size()], found);
  }
}

void TrafficMetrics::answers(const VisitAnswers& visit) const {
  const std::lock_guard lock(mutex_);
  const auto& names = statuses().names();
  each_cell([&](std::string_view route, std::string_view method, const auto& cells) {
    for (std::size_t status = 0; status < names.size(); ++status) {
      std::uint64_t count = 0;
      for (const auto* const cell : cells) count += cell->answers[status].load(std::memory_order_relaxed);
      if (count > 0) visit(route, method, names[status], count);
    }
  });
}

void TrafficMetrics::durations(const VisitDurations& visit) const {
  const std::lock_guard lock(mutex_);
  each_cell([&](std::string_view route, std::string_view method, const auto& cells) {
    HistogramCounts nanos = cells.front()->nanos.counts();
    for (std::size_t i = 1; i < cells.size(); ++i) nanos.add(cells[i]->nanos.counts());
    if (nanos.count() > 0) visit(route, method, nanos);
  });
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
