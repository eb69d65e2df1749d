#pragma once
// What `stele witness` does with a request: `POST /add-checkpoint` (C2SP tlog-witness), and nothing else.

#include <atomic>
#include <memory>

#include "api/http/http.h"
#include "engine/audit/witness.h"

namespace stele::tools {

class WitnessService final : public api::Handler {
 public:
  /// Both must outlive it.
  WitnessService(api::Scheduler& scheduler, Witness& witness) : scheduler_(scheduler), witness_(witness) {}

  [[nodiscard]] bool wants_body(const api::Request& request, api::BodyTerms& terms) override;
  void handle(const api::Request& request, api::Reply reply) override;
  void begin_shutdown() override {}

 private:
  [[nodiscard]] api::Response answer_to(const api::Request& request);

  api::Scheduler& scheduler_;
  Witness& witness_;
};

}  // namespace stele::tools
