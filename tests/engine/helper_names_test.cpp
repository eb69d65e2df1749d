// Files of a test folder are compiled several at a time (STELE_UNITY), so that a file would call another's function if
// that had the same name and fitted better.

#include <doctest/doctest.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "tests/support/build_paths.h"

namespace {

namespace fs = std::filesystem;

/// The name of the function that a line at the left margin begins to define; empty if it defines none.
std::string defined_function(std::string_view line) {
  const auto is_letter = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  const std::size_t end = line.find('(');
  if (end == std::string_view::npos || !(is_letter(line.front()) || line.front() == '[') || line.back() == ';') {
    return {};
  }
  std::size_t begin = end;
  while (begin > 0 && is_letter(line[begin - 1])) --begin;
  // A macro, a constructor, a member that is defined outside of its class.
  if (begin == 0 || std::islower(static_cast<unsigned char>(line[begin])) == 0 || line[begin - 1] == ':') return {};
  return std::string(line.substr(begin, end - begin));
}

}  // namespace

TEST_CASE("HelperNames.NoTwoFilesOfAFolderHaveAFunctionOfTheSameName") {
  CHECK(defined_function("int sum(int a) {") == "sum");
  CHECK(defined_function("[[nodiscard]] std::vector<int>& sums(int a,") == "sums");
  CHECK(defined_function("template <class T> T* made(T t) {") == "made");
  for (const char* const other : {"int sum(int a);", "TEST_CASE(\"a\") {", "int Sum::of(int a) {", "  f(1) {",
                                  "#if f(1)", "// f(1) {", "const int k = 1 +", "}"}) {
    CHECK(defined_function(other).empty());
  }
  std::size_t found = 0;
  const std::set<std::string> compiled_alone{"fuzz", "independent", "preload", "support"};
  for (const auto& entry_of_tests : fs::directory_iterator(stele::tests::source_path("tests"))) {
    const std::string folder = entry_of_tests.path().filename().string();
    if (!entry_of_tests.is_directory() || compiled_alone.contains(folder)) continue;
    std::map<std::string, std::string> file_of;
    for (const auto& entry : fs::directory_iterator(entry_of_tests.path())) {
      if (entry.path().extension() != ".cpp") continue;
      const std::string file = entry.path().filename().string();
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) {
        const std::string name = line.empty() ? "" : defined_function(line);
        if (name.empty()) continue;
        ++found;
        const auto& [known, fresh] = file_of.emplace(name, file);
        CHECK_MESSAGE(known->second == file, folder, "/", file, " and ", known->second, ": ", name);
      }
    }
  }
  CHECK(found > 500);
}
