#include "tools/cli/verdict_report.h"

#include <fmt/core.h>

#include "tools/cli/exit_code.h"
#include "tools/cli/printable.h"
#include "tools/cli/quantity.h"

namespace stele::tools {

std::string finding_lines(const Findings& findings) {
  std::string lines;
  for (const Finding& finding : findings.list()) {
    lines += fmt::format("{}: {}", verdict_name(finding.verdict), printable(finding.text));
    std::string where;
    if (finding.position) where += fmt::format("position {}", finding.position->value());
    if (!finding.file.empty()) where += fmt::format("{}{}", where.empty() ? "" : ", ", printable(finding.file));
    if (!finding.file.empty() && finding.offset) where += fmt::format(", byte {}", *finding.offset);
    lines += where.empty() ? "\n" : fmt::format(" ({})\n", where);
  }
  if (findings.left_out() > 0) lines += fmt::format("{} more are not listed\n", with_thousands(findings.left_out()));
  return lines;
}

void write_findings(api::JsonWriter& json, const Findings& findings) {
  json.key("findings").begin_array();
  for (const Finding& finding : findings.list()) {
    json.begin_object();
    json.key("verdict").plain(verdict_name(finding.verdict));
    json.key("detail").string(printable(finding.text));
    if (finding.position) json.key("position").number(finding.position->value());
    if (!finding.file.empty()) json.key("file").string(printable(finding.file));
    if (finding.offset) json.key("offset").number(*finding.offset);
    json.end_object();
  }
  json.end_array();
  json.key("findingsLeftOut").number(findings.left_out());
}

std::string_view meaning_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::Ok:
      return "everything that was looked at holds";
    case Verdict::Damaged:
      return "bytes were changed or are gone; a backup has them";
    case Verdict::RolledBack:
      return "this is an older copy: it ends before a checkpoint that was signed";
    case Verdict::RedactedWithoutRecord:
      return "something was taken out, and the log does not say by whom";
    case Verdict::Forged:
      return "a checkpoint is not what the log's key has signed, or contradicts another one";
    case Verdict::Rewritten:
      break;
  }
  return "its checksums hold, but it is not the log that was signed";
}

int exit_code_for(Verdict verdict) { return verdict == Verdict::Ok ? kExitOk : kExitDoesNotHold; }

}  // namespace stele::tools
