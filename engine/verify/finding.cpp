#include "engine/verify/finding.h"

#include <numeric>
#include <utility>

namespace stele {

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::Ok:
      return "ok";
    case Verdict::Damaged:
      return "damaged";
    case Verdict::RolledBack:
      return "rolled-back";
    case Verdict::RedactedWithoutRecord:
      return "redacted-without-record";
    case Verdict::Forged:
      return "forged";
    case Verdict::Rewritten:
      break;
  }
  return "rewritten";
}

void Findings::add(Finding finding) {
  const auto which = static_cast<std::size_t>(finding.verdict);
  ++counts_[which];
  if (kept_[which].size() < kKeptOfEach) kept_[which].push_back(std::move(finding));
}

Verdict Findings::verdict() const {
  for (std::size_t which = kVerdicts; which-- > 0;) {
    if (counts_[which] > 0) return static_cast<Verdict>(which);
  }
  return Verdict::Ok;
}

std::vector<Finding> Findings::list() const {
  std::vector<Finding> all;
  for (std::size_t which = kVerdicts; which-- > 0;) all.insert(all.end(), kept_[which].begin(), kept_[which].end());
  return all;
}

std::uint64_t Findings::count() const { return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0}); }

}  // namespace stele
