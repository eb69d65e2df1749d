// A flipped bit at every byte of a small store: it is found, or harmless, and never served as good data.
// STELE_FLIP_STRIDE=1 tries every byte; the default tries one in many, each time others.

#include <doctest/doctest.h>

#include <random>

#include "tests/support/environment.h"
#include "tests/support/sample_store.h"

using namespace stele;
using namespace stele::test;

TEST_CASE("BitFlip.IsFoundOrHarmless") {
  constexpr std::uint64_t kEvents = 450;
  FileContents files;
  {
    SimulatedFileSystem disk(1);
    auto store = Store::open(sample_options(disk));
    REQUIRE(store);
    append_sample(**store, kEvents);
    REQUIRE((*store)->close());
    read_folder(disk, "/store", files);
  }
  const std::uint64_t stride = std::max<std::uint64_t>(1, number_from("STELE_FLIP_STRIDE", 211));
  std::mt19937_64 random{std::random_device{}()};
  std::uint64_t trials = 0, refused = 0, found = 0, harmless = 0;
  for (const auto& [path, contents] : files) {
    for (std::uint64_t byte = random() % stride; byte < contents.size(); byte += stride) {
      const auto bit = static_cast<int>(random() % 8);
      CAPTURE(path);
      CAPTURE(byte);
      CAPTURE(bit);
      SimulatedFileSystem disk(2);
      FileContents bad = files;
      bad[path][byte] = static_cast<char>(bad[path][byte] ^ (1 << bit));
      write_files(disk, bad);
      ++trials;
      auto store = Store::open(sample_options(disk));
      if (!store) {
        const ErrorKind kind = store.error().kind;
        const bool named = kind == ErrorKind::Corrupt || kind == ErrorKind::Foreign || kind == ErrorKind::NewerFormat;
        REQUIRE_MESSAGE(named, store.error().describe());
        ++refused;
        continue;
      }
      ++(check_sample(**store, kEvents + 1).failed > 0 ? found : harmless);
    }
  }
  MESSAGE(trials << " flipped bits in " << files.size() << " files: " << refused << " refused at open, " << found
                 << " found by a read, " << harmless << " harmless, 0 wrong answers");
  CHECK(refused > 0);
  CHECK(found > 0);
  CHECK(harmless > 0);
}
