#include <doctest/doctest.h>

#include <set>

#include "engine/recovery/decision_table.h"

using namespace stele;

TEST_CASE("RecoveryCases.EverySegmentInputMeetsExactlyOneCase") {
  for (std::uint32_t flags = 0; flags < (1U << kSegmentFlags); ++flags) {
    int rows = 0;
    for (const RecoveryCase& row : segment_cases()) rows += row.applies(flags) ? 1 : 0;
    CHECK_MESSAGE(rows == 1, "flags ", flags);
  }
}

TEST_CASE("RecoveryCases.EveryPossibleTailMeetsExactlyOneCase") {
  int possible = 0;
  for (std::uint32_t flags = 0; flags < (1U << kTailFlags); ++flags) {
    if (!tail_flags_possible(flags)) continue;
    ++possible;
    int rows = 0;
    for (const RecoveryCase& row : tail_cases()) rows += row.applies(flags) ? 1 : 0;
    CHECK_MESSAGE(rows == 1, "flags ", flags);
  }
  CHECK(possible > 20);
}

TEST_CASE("RecoveryCases.EveryRowCanBeMet") {
  std::set<std::string_view> met;
  for (std::uint32_t flags = 0; flags < (1U << kSegmentFlags); ++flags) met.insert(decide(segment_cases(), flags).name);
  CHECK(met.size() == segment_cases().size());
  met.clear();
  for (std::uint32_t flags = 0; flags < (1U << kTailFlags); ++flags) {
    if (tail_flags_possible(flags)) met.insert(decide(tail_cases(), flags).name);
  }
  CHECK(met.size() == tail_cases().size());
}

TEST_CASE("RecoveryCases.NothingDurableIsEverCut") {
  for (const RecoveryCase& row : tail_cases()) {
    if (row.action != RecoveryAction::Cut) continue;
    CHECK_MESSAGE((row.clear & kLaterGroup) != 0, row.name);
    CHECK_MESSAGE((row.clear & kBelowDurable) != 0, row.name);
  }
}
