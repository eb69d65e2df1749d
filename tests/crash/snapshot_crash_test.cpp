// The snapshot store on a disk that drops, tears and reorders what was not synced and fails calls. After every crash it
// opens, and what it gives out was put and not deleted since. STELE_CRASH_SEEDS sets how many seeds are tried,
// STELE_CRASH_SEED a single one.

#include <doctest/doctest.h>

#include <random>

#include "engine/snapshots/snapshot_folder.h"
#include "engine/snapshots/snapshot_store.h"
#include "tests/support/environment.h"
#include "tests/support/simulated_file_system.h"
#include "tests/support/snapshot_ledger.h"

using namespace stele;
using stele::test::number_from;
using stele::test::SnapshotLedger;
using stele::test::SteppedClock;

namespace {

struct SnapshotTrial {
  explicit SnapshotTrial(std::uint64_t seed) : random(seed), disk(seed) {
    options.settings.memory_bytes_max = 500ULL << below(6);
    options.settings.keep = 1 + static_cast<std::uint32_t>(below(3));
    for (const char* aggregate : {"a", "b", "ab", "mission/1"}) {
      for (const char* name : {"fold", "b"}) keys.emplace_back(aggregate, name);
    }
  }

  std::mt19937_64 random;
  SimulatedFileSystem disk;
  SteppedClock clock;
  SnapshotStoreOptions options{.file_system = &disk,
                               .clock = &clock,
                               .folder = "/data/snapshots",
                               .store_id = Uuid{{5}},
                               .settings = {.write_bytes_per_second = 0}};
  std::vector<SnapshotLedger::Key> keys;
  SnapshotLedger ledger;
  std::uint64_t puts = 0;
  std::uint64_t found = 0;
  std::uint64_t deletions = 0;
  std::uint64_t crashes = 0;
  std::uint64_t damaged = 0;
  bool damaging = false;    // the disk loses what was synced
  bool calls_fail = false;  // single calls may fail, so that states may be lost

  std::uint64_t below(std::uint64_t n) { return std::uniform_int_distribution<std::uint64_t>(0, n - 1)(random); }
  bool chance(int percent) { return below(100) < static_cast<std::uint64_t>(percent); }

  void check(const SnapshotStore& store) {
    for (const auto& key : keys) {
      for (const std::uint64_t at_most : {~std::uint64_t{0}, 1 + below(40)}) {
        const auto got = store.at_or_before({key.first, key.second}, SequenceNumber{at_most});
        // A read that failed may have cost states, for this run.
        const bool lossy = calls_fail || disk.power_is_cut();
        using Expect = SnapshotLedger::Expect;
        ledger.check(key, at_most, got, lossy ? Expect::NothingWrong : Expect::AllThatIsSure);
        found += got ? 1 : 0;
      }
    }
  }

  void put(SnapshotStore& store) {
    const auto& key = keys[below(keys.size())];
    const std::uint64_t sequence = 1 + below(40);
    const std::uint32_t keep = chance(10) ? static_cast<std::uint32_t>(1 + below(4)) : 0;
    const std::string state = std::to_string(++puts) + std::string(below(chance(5) ? 20'000 : 300), 's');
    const Status status = store.put({key.first, key.second}, SequenceNumber{sequence}, sha256({state}), state, keep);
    if (status) {
      ledger.put(key, sequence, state, keep == 0 ? options.settings.keep : keep);
    } else {
      REQUIRE(status.error().kind == ErrorKind::Busy);
    }
  }

  void remove(SnapshotStore& store) {
    const std::string& aggregate = keys[below(keys.size())].first;
    if (store.remove(aggregate)) {
      ledger.remove(aggregate);
      ++deletions;
    } else {
      ledger.may_be_removed(aggregate);
    }
  }

  void use(SnapshotStore& store) {
    for (std::uint64_t i = 0, n = below(80); i < n; ++i) {
      switch (below(20)) {
        case 0:
          remove(store);
          break;
        case 1:
          if (store.flush() && !calls_fail) ledger.all_is_sure();
          break;
        case 2:
          if (chance(30)) (void)store.compact();
          break;
        case 3:
          check(store);
          break;
        default:
          put(store);
      }
    }
  }

  void order_trouble() {
    const SimulatedFailure hows[] = {SimulatedFailure::Io, SimulatedFailure::DiskFull, SimulatedFailure::ShortIo,
                                     SimulatedFailure::ShortDiskFull};
    switch (below(10)) {
      case 0:
        break;  // the process is killed, the machine goes on
      case 1:
        calls_fail = true;
        disk.fail_call(static_cast<SimulatedCall>(below(kSimulatedCalls)), 1 + below(30), hows[below(4)]);
        break;
      case 2:
        calls_fail = true;
        for (const SimulatedCall call : {SimulatedCall::Write, SimulatedCall::Sync, SimulatedCall::Rename,
                                         SimulatedCall::Remove, SimulatedCall::SyncDirectory}) {
          disk.fail_with_probability(call, 0.1, hows[below(4)]);
        }
        break;
      case 3:
        disk.set_capacity(disk.used_bytes() + below(100'000));
        break;
      default:
        disk.cut_power_at_call(1 + below(chance(50) ? 40 : 300));
    }
  }

  void crash() {
    ++crashes;
    disk.power_is_cut() || chance(50) ? disk.crash() : disk.kill();
    disk.set_capacity(std::nullopt);
  }

  /// The disk loses bytes, or a file (not the newest, whose loss nothing could tell of).
  void damage() {
    const auto names = disk.list(options.folder);
    if (!names || names->empty()) return;
    const std::string path = options.folder + "/" + (*names)[below(names->size())];
    const auto files = plan_snapshot_folder(*names).files;
    if (files.size() > 1 && chance(30)) {
      REQUIRE(disk.remove(options.folder + "/" + files[below(files.size() - 1)].text()));
    } else {
      auto file = disk.open(path, OpenMode::ReadWrite);
      REQUIRE(file);
      const std::uint64_t size = *(*file)->size();
      if (chance(20)) {
        REQUIRE((*file)->truncate(below(size + 1)));
      } else if (size > 0) {
        const char byte = static_cast<char>(below(256));
        REQUIRE(
            (*file)->write_at(ByteOffset{below(chance(50) ? size : std::min<std::uint64_t>(size, 100))}, {&byte, 1}));
      }
      REQUIRE((*file)->sync_data());
    }
    REQUIRE(disk.sync_directory(options.folder));
    ledger.nothing_is_sure();
    ++damaged;
  }

  void run() {
    for (int round = 0; round < 6; ++round) {
      order_trouble();
      {
        auto store = SnapshotStore::open(options);
        if (store) {
          check(**store);
          use(**store);
          check(**store);
          if (chance(80)) {
            disk.cut_power();
          } else if ((*store)->close() && !calls_fail) {
            ledger.all_is_sure();
          }
        } else {
          const ErrorKind kind = store.error().kind;
          const bool ordered = kind == ErrorKind::Io || kind == ErrorKind::DiskFull;
          REQUIRE_MESSAGE(ordered, store.error().describe());
        }
      }
      crash();
      ledger.crashed();
      if (calls_fail) ledger.nothing_is_sure();
      calls_fail = false;
      if (damaging && chance(40)) damage();
    }
    auto store = SnapshotStore::open(options);
    REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
    check(**store);
    use(**store);
    REQUIRE((*store)->flush());
    ledger.all_is_sure();
    REQUIRE((*store)->compact());
    check(**store);
    CHECK(disk.list(options.folder)->size() <= 1);
  }
};

void run_trials(bool damaging) {
  const std::uint64_t single = number_from("STELE_CRASH_SEED", 0);
  const std::uint64_t first = single != 0 ? single : 1;
  const std::uint64_t seeds = single != 0 ? 1 : number_from("STELE_CRASH_SEEDS", 300);
  std::uint64_t puts = 0, found = 0, deletions = 0, crashes = 0, damaged = 0;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    CAPTURE(seed);
    SnapshotTrial trial(seed);
    trial.damaging = damaging;
    trial.run();
    puts += trial.puts;
    found += trial.found;
    deletions += trial.deletions;
    crashes += trial.crashes;
    damaged += trial.damaged;
  }
  MESSAGE(seeds << " seeds, " << crashes << " crashes, " << damaged << " files damaged, " << puts << " states put, "
                << deletions << " deletions acknowledged, " << found << " states read back and right");
  CHECK(found > 0);
}

}  // namespace

TEST_CASE("SnapshotCrash.WhatIsGivenOutWasPutAndNotDeleted") { run_trials(false); }

TEST_CASE("SnapshotCrash.DamageCostsStatesButBringsNoDeletedOneBack") { run_trials(true); }
