#include "api/schemas/upcaster_trial.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "api/endpoint/store_refusal.h"
#include "api/records/upcast_scripts.h"

namespace stele::api {

namespace {
constexpr std::chrono::seconds kTrialTimeMax{10};
}  // namespace

std::optional<Problem> unusable_script(const Upcaster& upcaster, const UpcastRuntime& runtime,
                                       const std::function<bool()>& abandoned) {
  if (upcaster.operations) return std::nullopt;
  if (runtime.host == nullptr) {
    return Problem("handlers-unavailable", "Scripts cannot be run here: they are switched off.");
  }
  UpcastScriptLimits limits;
  limits.call_time = runtime.call_time;
  limits.deadline = std::chrono::steady_clock::now() + kTrialTimeMax;
  limits.abandoned = abandoned;
  auto begun = runtime.host->begin_upcasts(limits);
  std::optional<UpcastFailure> failure;
  if (auto* const refused = std::get_if<UpcastFailure>(&begun)) {
    failure = std::move(*refused);
  } else {
    failure = std::get<std::unique_ptr<UpcastScripts>>(begun)->check(upcaster.source);
  }
  if (!failure) return std::nullopt;
  if (failure->passes) {
    return Problem(failure->slug, failure->detail).header("Retry-After", std::string(kRetrySoon));
  }
  Problem problem("invalid-upcaster", "/upcaster/source: " + failure->detail);
  problem.error({"pointer", "/upcaster/source", failure->detail, {}});
  if (failure->line) problem.member("line", std::to_string(*failure->line));
  if (failure->column) problem.member("column", std::to_string(*failure->column));
  return problem;
}

}  // namespace stele::api
