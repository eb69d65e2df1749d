// Runs every fuzz target over its seeds and the files of its corpus, without a fuzzer.
//   fuzz_replay <corpus>                  all targets; fails if one has no files there
//   fuzz_replay --seeds <target> <folder> writes the seeds of a target, for a fuzzer to begin with
//   fuzz_replay <target> <file>…          single inputs, to look into a finding

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/fuzz/fuzz_target.h"

namespace fs = std::filesystem;
using stele::fuzz::Target;

namespace {

std::string contents(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

const Target* find(std::string_view name) {
  const auto& all = stele::fuzz::targets();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Target& target) { return target.name == name; });
  return found == all.end() ? nullptr : &*found;
}

int write_seeds(const Target& target, const fs::path& folder) {
  fs::create_directories(folder);
  int number = 0;
  for (const std::string& seed : target.seeds()) {
    std::ofstream out(folder / ("seed-" + std::to_string(++number)), std::ios::binary);
    out << seed;
    if (!out.flush()) return 1;
  }
  return 0;
}

int replay_all(const fs::path& corpus) {
  int failures = 0;
  for (const Target& target : stele::fuzz::targets()) {
    std::vector<fs::path> files;
    if (fs::is_directory(corpus / target.name)) {
      for (const auto& entry : fs::directory_iterator(corpus / target.name)) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    const auto seeds = target.seeds();
    for (const std::string& seed : seeds) target.run(seed);
    for (const fs::path& file : files) {
      // The last line before a crash names the input.
      std::printf("%s %s\n", std::string(target.name).c_str(), file.filename().c_str());
      std::fflush(stdout);
      target.run(contents(file));
    }
    std::printf("%s: %zu seeds, %zu files\n", std::string(target.name).c_str(), seeds.size(), files.size());
    if (files.empty() || seeds.empty()) ++failures;
  }
  for (const auto& entry : fs::directory_iterator(corpus)) {
    if (find(entry.path().filename().string()) != nullptr) continue;
    std::printf("no target has the corpus %s\n", entry.path().c_str());
    ++failures;
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 1) return replay_all(arguments[0]);
  const bool seeds = arguments.size() == 3 && arguments[0] == "--seeds";
  const Target* const target = arguments.size() < 2 ? nullptr : find(arguments[seeds ? 1 : 0]);
  if (target == nullptr) {
    std::fprintf(stderr, "usage: fuzz_replay <corpus> | --seeds <target> <folder> | <target> <file>...\n");
    return 2;
  }
  if (seeds) return write_seeds(*target, arguments[2]);
  for (std::size_t i = 1; i < arguments.size(); ++i) target->run(contents(arguments[i]));
  return 0;
}
