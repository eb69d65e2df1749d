#pragma once
// The Merkle tree of the log for whoever checks it: tiles, entry bundles, proofs between positions and sizes.

#include <memory>
#include <optional>
#include <vector>

#include "api/audit/checkpoint_keeper.h"
#include "api/audit/tile_path.h"
#include "api/endpoint/call.h"
#include "api/endpoint/endpoint.h"
#include "api/endpoint/subject_report.h"
#include "api/http/problem.h"
#include "engine/store/store.h"

namespace stele::api {

/// Must outlive its calls, and what it is made of must outlive it.
class TreeEndpoints {
 public:
  /// `keeper`: null if nothing is signed, and then tiles are shown as far as the log is durable.
  TreeEndpoints(Store& store, const CheckpointKeeper* keeper, const ServiceOptions& options)
      : store_(store), keeper_(keeper), options_(options) {}

  [[nodiscard]] std::vector<Endpoint> endpoints();
  /// For /metrics.
  [[nodiscard]] SubjectReport report() const;

 private:
  void tile(Call& call) const;
  void entries(Call& call) const;
  void inclusion(Call& call) const;
  void consistency(Call& call) const;
  [[nodiscard]] Problem refusal(const Error& error) const;
  /// None if the newest checkpoint is over all of the tile: what is shown is never taken back.
  [[nodiscard]] std::optional<Problem> unsigned_refusal(unsigned level, const TilePath& tile) const;

  Store& store_;
  const CheckpointKeeper* const keeper_;
  const ServiceOptions& options_;
};

}  // namespace stele::api
