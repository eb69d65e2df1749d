#pragma once
// The `index` folder of a data folder: one file a run, named after the positions it covers. There is no list of them:
// of runs that cover the same positions the longest counts, because it was merged from the others, which are removed.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/index/index_run.h"

namespace stele {

inline constexpr std::string_view kRunSuffix = ".run";
inline constexpr std::string_view kUnfinishedSuffix = ".unfinished";

/// `<first>-<end>.run`, 16 decimal digits each.
[[nodiscard]] std::string run_name(Position first, Position end);
struct RunName {
  Position first;
  Position end;
};
[[nodiscard]] std::optional<RunName> parse_run_name(std::string_view name);

struct OpenedRuns {
  std::vector<std::shared_ptr<const IndexRun>> runs;  ///< in position order, perhaps with gaps
  std::vector<std::string> notes;                     ///< what an operator should know
  bool vanished = false;  ///< a file was removed between listing and opening: somebody else merges runs there
};

/// Whether what is of no use any more is removed.
enum class RunAccess { TidyUp, ReadOnly };

/// Opens what is whole and, unless ReadOnly, removes the rest: unfinished files, runs that were merged into longer
/// ones, damaged ones. Only trouble with listing the folder is an error.
[[nodiscard]] Result<OpenedRuns> open_runs(FileSystem& file_system, const std::string& folder, const Uuid& store_id,
                                           RunAccess access);

}  // namespace stele
