#pragma once
// GET /readyz: whether the server should get traffic, and what an operator should look at.

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "api/endpoint/options.h"
#include "api/endpoint/subject_report.h"
#include "api/http/http.h"
#include "engine/store/store.h"

namespace stele::api {

/// Any thread.
class Health {
 public:
  Health(const Store& store, const ServiceOptions& options, const SubjectReporter& subjects)
      : store_(store), options_(options), subjects_(subjects) {}

  /// It says no from here on.
  void begin_shutdown() { shutting_down_.store(true); }
  [[nodiscard]] bool shutting_down() const { return shutting_down_.load(); }

  /// What the operator should look at; `health` is the store's.
  [[nodiscard]] std::vector<std::string> warnings(const StoreHealth& health, const SubjectReport& subjects) const;
  /// 200, or a problem for a request to `path`.
  [[nodiscard]] Response ready(std::string_view path) const;

 private:
  const Store& store_;
  const ServiceOptions& options_;
  const SubjectReporter& subjects_;
  std::atomic<bool> shutting_down_{false};
};

}  // namespace stele::api
