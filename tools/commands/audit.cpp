#include "tools/commands/audit.h"

#include <array>

#include "tools/cli/actions.h"
#include "tools/commands/audit_bundle.h"

namespace stele::tools {

namespace {

constexpr std::array kAuditActions{
    Action{"bundle", "write events and what proves them into one file", &audit_bundle_command},
};

}  // namespace

int audit_command(int argc, const char* const* argv) {
  return run_action("audit", kAuditActions, "With authentication on it needs the role auditor or admin.", argc, argv);
}

}  // namespace stele::tools
