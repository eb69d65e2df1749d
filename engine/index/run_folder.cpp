#include "engine/index/run_folder.h"

#include <algorithm>
#include <cstdio>

namespace stele {
namespace {

constexpr std::size_t kPositionDigits = 16;

std::optional<std::uint64_t> parse_digits(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

}  // namespace

std::string run_name(Position first, Position end) {
  char name[64];
  std::snprintf(name, sizeof name, "%016llu-%016llu", static_cast<unsigned long long>(first.value()),
                static_cast<unsigned long long>(end.value()));
  return std::string(name).append(kRunSuffix);
}

std::optional<RunName> parse_run_name(std::string_view name) {
  if (name.size() != 2 * kPositionDigits + 1 + kRunSuffix.size() || !name.ends_with(kRunSuffix) ||
      name[kPositionDigits] != '-') {
    return std::nullopt;
  }
  const auto first = parse_digits(name.substr(0, kPositionDigits));
  const auto end = parse_digits(name.substr(kPositionDigits + 1, kPositionDigits));
  if (!first || !end || *first >= *end) return std::nullopt;
  return RunName{Position{*first}, Position{*end}};
}

Result<OpenedRuns> open_runs(FileSystem& file_system, const std::string& folder, const Uuid& store_id,
                             RunAccess access) {
  const auto tidy_up = [&](const std::string& path) {
    if (access == RunAccess::TidyUp) (void)file_system.remove(path);
  };
  OpenedRuns opened;
  if (access == RunAccess::ReadOnly) {
    STELE_ASSIGN(const bool exists, file_system.exists(folder));
    if (!exists) return opened;
  }
  STELE_ASSIGN(const std::vector<std::string> names, file_system.list(folder));
  std::vector<RunName> found;
  for (const std::string& name : names) {
    if (const auto run = parse_run_name(name)) {
      found.push_back(*run);
    } else if (name.ends_with(kUnfinishedSuffix)) {
      tidy_up(folder + "/" + name);
    } else {
      opened.notes.push_back("ignored in the index folder: " + name);
    }
  }
  // The longest of those that begin at the same position first.
  std::sort(found.begin(), found.end(),
            [](const RunName& a, const RunName& b) { return a.first != b.first ? a.first < b.first : a.end > b.end; });
  Position covered;
  for (const RunName& name : found) {
    const std::string path = folder + "/" + run_name(name.first, name.end);
    if (name.first < covered) {
      tidy_up(path);
      continue;
    }
    auto run = IndexRun::open(file_system, path, store_id);
    if (run && ((*run)->first() != name.first || (*run)->end() != name.end)) {
      run = Error{
          .kind = ErrorKind::Corrupt, .message = "the run covers other positions than its name says", .file = path};
    }
    if (!run) {
      opened.notes.push_back("an index run is made again from the log: " + run.error().describe());
      // Whatever else keeps it from being opened may be gone tomorrow.
      if (run.error().kind == ErrorKind::Corrupt) tidy_up(path);
      if (run.error().kind == ErrorKind::NotFound) opened.vanished = true;
      continue;
    }
    covered = name.end;
    opened.runs.push_back(std::move(*run));
  }
  return opened;
}

}  // namespace stele
