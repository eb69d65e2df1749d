#pragma once
// What an auditor starts from: the newest checkpoint, the keys that sign, and proofs of single events.

#include <memory>
#include <vector>

#include "api/audit/checkpoint_keeper.h"
#include "api/audit/event_prover.h"
#include "api/audit/witnesses.h"
#include "api/endpoint/call.h"
#include "api/endpoint/endpoint.h"

namespace stele::api {

/// Must outlive its calls and their answers, and what it is made of must outlive it.
class CheckpointEndpoints {
 public:
  /// Without `keeper`, `witnesses` and `prover` (all null) nothing is signed, and there is nothing to show.
  CheckpointEndpoints(Store& store, Scheduler& scheduler, const CheckpointKeeper* keeper, const Witnesses* witnesses,
                      EventProver* prover, const ServiceOptions& options)
      : store_(store),
        scheduler_(scheduler),
        keeper_(keeper),
        witnesses_(witnesses),
        prover_(prover),
        options_(options) {}

  [[nodiscard]] std::vector<Endpoint> endpoints();

 private:
  void checkpoint(const std::shared_ptr<Call>& call) const;
  void keys(const std::shared_ptr<Call>& call) const;
  void proof(const std::shared_ptr<Call>& call);

  Store& store_;
  Scheduler& scheduler_;
  const CheckpointKeeper* const keeper_;
  const Witnesses* const witnesses_;
  EventProver* const prover_;
  const ServiceOptions& options_;
};

}  // namespace stele::api
