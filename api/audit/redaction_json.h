#pragma once
// A redaction as the API shows it.

#include <string>

#include "api/audit/redaction_room.h"
#include "api/audit/redaction_scan.h"

namespace stele::api {

[[nodiscard]] std::string redaction_json(const RedactionStatus& status);
/// What one would do. `is_whole`: everything was looked at; else it is at least so much.
[[nodiscard]] std::string dry_run_json(const RedactionOrder& order, const RedactionScan::Found& found, bool is_whole);

}  // namespace stele::api
