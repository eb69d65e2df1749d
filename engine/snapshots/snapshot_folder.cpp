#include "engine/snapshots/snapshot_folder.h"

#include <algorithm>
#include <tuple>

namespace stele {

SnapshotFolderPlan plan_snapshot_folder(const std::vector<std::string>& entries) {
  SnapshotFolderPlan plan;
  std::vector<SnapshotFileName> names;
  for (const std::string& entry : entries) {
    if (const auto name = SnapshotFileName::parse(entry)) {
      names.push_back(*name);
    } else if (entry.ends_with(".tmp") &&
               SnapshotFileName::parse(std::string_view(entry).substr(0, entry.size() - 4))) {
      plan.leftovers.push_back(entry);
    }
  }
  // Newest first; of those that end together the widest first, because a merge made it of the others. Of the same
  // numbers the one with deletions: the other was made of it, or never acknowledged.
  std::sort(names.begin(), names.end(), [](const SnapshotFileName& a, const SnapshotFileName& b) {
    return std::tuple(b.high, a.low, b.deletions) < std::tuple(a.high, b.low, a.deletions);
  });
  std::uint64_t border = 0;  // the least number of the files that were taken, 0 if none was
  bool gap = false;
  for (const SnapshotFileName& name : names) {
    if (border == 0) plan.next = name.high + 1;
    gap = gap || (border != 0 && name.low < border && name.high + 1 != border);
    if (gap) {
      plan.dropped.push_back(name.text());
    } else if (border != 0 && name.low >= border) {
      plan.leftovers.push_back(name.text());
    } else {
      plan.files.push_back(name);
      border = name.low;
    }
  }
  std::reverse(plan.files.begin(), plan.files.end());
  return plan;
}

}  // namespace stele
