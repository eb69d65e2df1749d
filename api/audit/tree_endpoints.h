#pragma once
// The Merkle tree of the log for whoever checks it: tiles, entry bundles, proofs between positions and sizes.

#include <memory>
#include <vector>

#include "api/endpoint/call.h"
#include "api/endpoint/endpoint.h"
#include "api/endpoint/subject_report.h"
#include "engine/store/store.h"

namespace stele::api {

/// Must outlive its calls, and what it is made of must outlive it.
class TreeEndpoints {
 public:
  TreeEndpoints(Store& store, const ServiceOptions& options) : store_(store), options_(options) {}

  [[nodiscard]] std::vector<Endpoint> endpoints();
  /// For /metrics.
  [[nodiscard]] SubjectReport report() const;

 private:
  void tile(Call& call) const;
  void entries(Call& call) const;
  void inclusion(Call& call) const;
  void consistency(Call& call) const;
  [[nodiscard]] Problem refusal(const Error& error) const;

  Store& store_;
  const ServiceOptions& options_;
};

}  // namespace stele::api
