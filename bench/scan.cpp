// stele_scan: reads all events of an aggregate through the engine and does nothing with them, as a measure for whatever
// does something. Reads a folder beside a server, too.

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "engine/base/standard_descriptors.h"
#include "engine/store/store.h"

namespace {

using namespace stele;

[[noreturn]] void die(const std::string& message) {
  std::cerr << "stele_scan: " << message << "\n";
  std::exit(1);
}

std::uint64_t scan(const ReadView& view, const std::string& aggregate) {
  EventQuery query;
  query.aggregate_id = aggregate;
  const auto stream = view.query(query);
  if (!stream) die(stream.error().describe());
  Record record;
  for (std::uint64_t events = 0;; ++events) {
    const auto found = (*stream)->next(record);
    if (!found) die(found.error().describe());
    if (!*found) return events;
  }
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_descriptors();
  CLI::App app("Reads all events of an aggregate and prints how many a second, as JSON: the fastest of the rounds.");
  std::string folder, aggregate;
  int rounds = 3;
  app.add_option("--folder", folder, "the data folder")->required();
  app.add_option("--aggregate", aggregate, "its id")->required();
  app.add_option("--rounds", rounds, "how often")->check(CLI::Range(1, 1000))->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  ReadOnlyOptions options;
  options.folder = folder;
  const auto store = Store::open_read_only(std::move(options));
  if (!store) die(store.error().describe());
  double best = 0;
  std::uint64_t events = 0;
  for (int i = 0; i < rounds; ++i) {
    const auto began = std::chrono::steady_clock::now();
    events = scan(*(*store)->view(), aggregate);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    best = std::max(best, static_cast<double>(events) / took.count());
  }
  std::printf("{\"events\": %llu, \"events_per_second\": %.0f}\n", static_cast<unsigned long long>(events), best);
  return 0;
}
