#pragma once
// What a verification has found, for people and for programs.

#include <string>
#include <string_view>

#include "api/json/json_writer.h"
#include "engine/verify/finding.h"

namespace stele::tools {

/// A line for each finding: its verdict, where, and what; and one for those that are not listed. Empty if there is
/// none.
[[nodiscard]] std::string finding_lines(const Findings& findings);
/// The members "findings" and "findingsLeftOut".
void write_findings(api::JsonWriter& json, const Findings& findings);
/// What a verdict means, in a sentence.
[[nodiscard]] std::string_view meaning_of(Verdict verdict);
/// kExitOk or kExitDoesNotHold.
[[nodiscard]] int exit_code_for(Verdict verdict);

}  // namespace stele::tools
