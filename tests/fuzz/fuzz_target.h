#pragma once
// One fuzz target a file, <name>_fuzz.cpp:
//
//   FUZZ_TARGET(name, seeds) { … `input` … }      seeds: function that returns the inputs to begin with
//
// A target feeds `input` to code that reads bytes from outside, and checks with STELE_CHECK what must hold for any
// input. With the preset `fuzz` each becomes a libFuzzer program of its own; the ordinary build has one program that
// goes through the seeds and corpus/<name>/ of all targets. README.md says how to use and add them.

#include <string>
#include <string_view>
#include <vector>

namespace stele::fuzz {

struct Target {
  std::string_view name;
  void (*run)(std::string_view input);
  std::vector<std::string> (*seeds)();
};

/// All targets of the program.
[[nodiscard]] std::vector<Target>& targets();

struct Registered {
  explicit Registered(const Target& target) { targets().push_back(target); }
};

/// `bytes` from an allocation of exactly their size, so that AddressSanitizer sees any byte read beyond them.
class Exact {
 public:
  explicit Exact(std::string_view bytes) : bytes_(bytes.begin(), bytes.end()) {}
  [[nodiscard]] std::string_view view() const { return {bytes_.data(), bytes_.size()}; }

 private:
  std::vector<char> bytes_;
};

}  // namespace stele::fuzz

#define FUZZ_TARGET(name, seeds)                                                           \
  static void fuzz_##name(std::string_view input);                                         \
  static const ::stele::fuzz::Registered registered_##name({#name, fuzz_##name, (seeds)}); \
  static void fuzz_##name(std::string_view input)
