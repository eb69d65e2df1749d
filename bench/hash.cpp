// stele_hash: the SHA-256 calls that a log needs (digests of bodies, leaves, the tree over them) and nothing else, with
// the records in memory and on all cores, as a measure for whatever verifies one. Reads a folder beside a server, too.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "engine/audit/merkle_frontier.h"
#include "engine/base/standard_descriptors.h"
#include "engine/store/store.h"

namespace {

using namespace stele;

[[noreturn]] void die(const std::string& message) {
  std::cerr << "stele_hash: " << message << "\n";
  std::exit(1);
}

std::deque<Record> read_records(const std::string& folder, std::uint64_t count) {
  ReadOnlyOptions options;
  options.folder = folder;
  const auto store = Store::open_read_only(std::move(options));
  if (!store) die(store.error().describe());
  const auto view = (*store)->view();
  std::deque<Record> records;
  for (Position at; at < view->end() && records.size() < count; at = at.next()) {
    if (const Status read = view->read(at, records.emplace_back()); !read) die(read.error().describe());
  }
  return records;
}

/// Seconds for all records, each thread with a part of them.
double hash_all(const std::deque<Record>& records, std::size_t threads) {
  const auto began = std::chrono::steady_clock::now();
  std::vector<std::thread> crew;
  for (std::size_t i = 0; i < threads; ++i) {
    crew.emplace_back([&, i] {
      MerkleFrontier tree;
      const std::size_t end = records.size() * (i + 1) / threads;
      for (std::size_t at = records.size() * i / threads; at < end; ++at) tree.append(records[at].leaf());
      if (end > 0 && tree.root() == Digest{}) die("a root of zeros");
    });
  }
  for (std::thread& one : crew) one.join();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_descriptors();
  CLI::App app(
      "Hashes records as a Merkle tree needs it and prints how many a second, as JSON: the best of the rounds.");
  std::string folder;
  std::uint64_t count = 500'000;
  int rounds = 3;
  app.add_option("--folder", folder, "the data folder")->required();
  app.add_option("--records", count, "the first so many, which are held in memory")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{10'000'000}))
      ->capture_default_str();
  app.add_option("--rounds", rounds, "how often")->check(CLI::Range(1, 1000))->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const std::deque<Record> records = read_records(folder, count);
  const std::size_t threads = std::max(1U, std::thread::hardware_concurrency());
  double best = 0;
  for (int i = 0; i < rounds; ++i) {
    best = std::max(best, static_cast<double>(records.size()) / hash_all(records, threads));
  }
  std::printf("{\"records\": %zu, \"threads\": %zu, \"records_per_second\": %.0f}\n", records.size(), threads, best);
  return 0;
}
