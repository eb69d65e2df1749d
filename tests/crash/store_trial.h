#pragma once
// A store on a simulated disk and the ledger of what it answered: what the tests of crashes and of failing calls share.

#include <doctest/doctest.h>

#include <algorithm>
#include <future>
#include <map>
#include <random>
#include <set>

#include "engine/base/uuid.h"
#include "engine/store/store.h"
#include "tests/support/environment.h"
#include "tests/support/simulated_file_system.h"

namespace stele::test {

using Kind = AppendOutcome::Kind;

struct Trial {
  explicit Trial(std::uint64_t trial_seed) : seed(trial_seed), random(trial_seed), disk(trial_seed) {}

  const std::uint64_t seed;
  std::mt19937_64 random;
  SimulatedFileSystem disk;

  /// One event as it was proposed.
  struct Known {
    std::string aggregate;
    std::string data;
    std::uint64_t commit;
    Position position;  ///< once stored
  };
  std::map<Uuid, Known> stored;   ///< acknowledged, or found after a crash: must stay for ever
  std::map<Uuid, Known> unknown;  ///< outcome unknown: whole commits, or nothing
  std::set<Uuid> absent;          ///< refused, or cut: must never appear
  std::uint64_t commits = 0;
  std::uint64_t crashes = 0;
  bool trouble = false;  ///< calls may fail because they were told to

  std::uint64_t below(std::uint64_t n) { return std::uniform_int_distribution<std::uint64_t>(0, n - 1)(random); }
  bool chance(int percent) { return below(100) < static_cast<std::uint64_t>(percent); }

  [[nodiscard]] StoreOptions options() {
    StoreOptions options;
    options.folder = "/store";
    options.segment_bytes = 64 * 1024;
    options.fill_bytes_per_second = 0;
    options.index_part_records_max = 4 + seed % 61;  // few records: runs are written and merged all the time
    options.compaction_bytes_per_second = 0;
    options.scrub_bytes_per_second = 0;
    options.guard_interval = std::chrono::milliseconds{0};
    options.group_commit_delay = std::chrono::microseconds{0};
    options.overlap_records_min = seed % 2 == 0 ? 1 : 1000;
    options.file_system = &disk;
    return options;
  }

  Proposal propose() {
    Proposal proposal;
    const std::uint64_t count = chance(70) ? 1 : 1 + below(8);
    proposal.is_list = count > 1;
    for (std::uint64_t i = 0; i < count; ++i) {
      RecordDraft event;
      random_bytes(event.event_id.bytes.data(), event.event_id.bytes.size());
      event.aggregate_id = "a" + std::to_string(below(7));
      event.event_type = "Happened";
      event.data = "\"" + std::string(below(chance(10) ? 9000 : 400), static_cast<char>('a' + below(26))) + "\"";
      if (chance(5)) event.expected_sequence = SequenceNumber{1 + below(3)};  // mostly wrong
      event.seal();
      proposal.events.push_back(std::move(event));
    }
    while (chance(20)) {
      RecordDraft& attached = proposal.attached.emplace_back();
      random_bytes(attached.event_id.bytes.data(), attached.event_id.bytes.size());
      attached.kind = chance(50) ? RecordKind::Action : RecordKind::Event;
      attached.aggregate_id = attached.kind == RecordKind::Action ? "$audit/append" : "$schema/Happened";
      attached.event_type = "event.append";
      if (attached.kind == RecordKind::Action) attached.resource = "aggregate:" + proposal.events[0].aggregate_id;
      attached.data = std::to_string(below(1000));
      attached.private_fields = R"({"remoteAddress":"192.0.2.7"})";
      attached.seal();
    }
    return proposal;
  }

  /// Proposes a few commits at once, so that they share groups, and enters every answer in the ledger.
  void append_some(Store& store) {
    std::vector<std::future<Decision>> decisions;
    for (std::uint64_t i = 0, n = 1 + below(5); i < n; ++i) {
      auto promise = std::make_shared<std::promise<Decision>>();
      decisions.push_back(promise->get_future());
      store.append(propose(), [promise](Decision decision) { promise->set_value(std::move(decision)); });
    }
    for (auto& future : decisions) {
      const Decision decision = future.get();
      enter(decision, store.finish(decision));
    }
  }

  void enter(const Decision& decision, const AppendOutcome& outcome) {
    ++commits;
    Position position = outcome.first;
    for (std::size_t i = 0; i < decision.proposal.record_count(); ++i) {
      const RecordDraft& event = decision.proposal.record(i);
      Known known{event.aggregate_id, *event.data, commits, position};
      position = position.next();
      if (outcome.kind == Kind::Stored) {
        stored.emplace(event.event_id, std::move(known));
      } else if (outcome.kind == Kind::OutcomeUnknown) {
        unknown.emplace(event.event_id, std::move(known));
      } else {
        absent.insert(event.event_id);
      }
    }
  }

  /// The same of one commit by itself.
  void append_one(Store& store) {
    Proposal proposal = propose();
    Decision decision{proposal, store.append_and_wait(std::move(proposal)), {}};
    const AppendOutcome outcome = decision.outcome;
    enter(decision, outcome);
  }

  /// Reads, unless the trouble that was ordered struck this very call.
  bool read(const ReadView& view, Position position, Record& record) {
    const Status status = view.read(position, record);
    const bool ordered = trouble && !status && status.error().os_error != 0;
    if (ordered) return false;
    REQUIRE_MESSAGE(status, (status ? "" : status.error().describe()));
    return true;
  }

  /// Where the event is, if it is; none if the trouble that was ordered struck this very call.
  std::optional<std::optional<Position>> find(const ReadView& view, const Uuid& id) {
    const auto found = view.find_event(id);
    if (trouble && !found && found.error().os_error != 0) return std::nullopt;
    REQUIRE_MESSAGE(found, (found ? "" : found.error().describe()));
    return *found;
  }

  /// Compares everything readable with the ledger.
  void check(const Store& store) {
    const auto view = store.view();
    Record record;
    for (const auto& [id, known] : stored) {
      const auto found = find(*view, id);
      if (!found) continue;
      REQUIRE(*found);
      REQUIRE(**found == known.position);
      if (!read(*view, **found, record)) continue;
      REQUIRE(record.header().event_id == id);
      REQUIRE(record.header().aggregate_id == known.aggregate);
      REQUIRE(record.body().data == known.data);
    }
    for (const Uuid& id : absent) {
      if (const auto found = find(*view, id)) REQUIRE(!*found);
    }
    std::map<std::string, std::uint64_t> sequences;
    for (Position p{1}; p < view->end(); p = p.next()) {
      if (!read(*view, p, record)) return;
      const bool known = stored.contains(record.header().event_id) || unknown.contains(record.header().event_id);
      REQUIRE(known);
      REQUIRE(record.header().sequence.value() == ++sequences[std::string(record.header().aggregate_id)]);
    }
    for (const auto& [id, last] : sequences) {
      const auto summary = view->aggregate(id);
      if (trouble && !summary && summary.error().os_error != 0) return;
      REQUIRE_MESSAGE(summary, (summary ? "" : summary.error().describe()));
      REQUIRE(*summary);
      REQUIRE((*summary)->last_sequence.value() == last);
      REQUIRE((*summary)->count == last);
    }
  }

  /// After a crash: what was unknown is there as a whole commit, and then for ever, or not at all, and then never.
  void settle_unknown(const Store& store) {
    std::map<std::uint64_t, std::pair<int, int>> commits_found;  // found, missing
    std::map<Uuid, std::optional<Position>> places;
    const auto view = store.view();
    for (const auto& [id, known] : unknown) {
      const auto place = find(*view, id);
      if (!place) return;  // next time
      places[id] = *place;
    }
    for (auto& [id, known] : unknown) {
      auto& [found, missing] = commits_found[known.commit];
      if (const auto position = places[id]) {
        ++found;
        known.position = *position;
        stored.emplace(id, known);
      } else {
        ++missing;
        absent.insert(id);
      }
    }
    for (const auto& [commit, counts] : commits_found) REQUIRE((counts.first == 0 || counts.second == 0));
    unknown.clear();
  }

  void order_trouble() {
    trouble = true;
    const auto cut_soon = [&] { disk.cut_power_at_call(1 + below(chance(50) ? 40 : 300)); };
    switch (below(8)) {
      case 0:
        break;  // the process is killed, the machine goes on
      case 1:
        disk.fail_call(SimulatedCall::Write, 1 + below(60), SimulatedFailure::ShortIo);
        break;
      case 2:
        disk.fail_call(SimulatedCall::Sync, 1 + below(60), SimulatedFailure::Io);
        break;
      case 3: {
        const auto call = static_cast<SimulatedCall>(below(kSimulatedCalls));
        const SimulatedFailure hows[] = {SimulatedFailure::Io, SimulatedFailure::DiskFull, SimulatedFailure::ShortIo,
                                         SimulatedFailure::ShortDiskFull};
        disk.fail_call(call, 1 + below(30), hows[below(4)]);
        break;
      }
      default:
        cut_soon();
    }
  }

  void crash() {
    ++crashes;
    if (disk.power_is_cut() || chance(50)) {
      disk.crash();
    } else {
      disk.kill();
    }
  }

  /// Crashes again and again.
  void run() {
    for (int round = 0; round < 5; ++round) {
      order_trouble();
      {
        auto store = Store::open(options());
        if (store) {
          settle_unknown(**store);
          check(**store);
          for (std::uint64_t i = 0, n = below(30); i < n; ++i) append_some(**store);
          if (!disk.power_is_cut()) {
            disk.stop_failing();
            check_readable(**store);
          }
          if (chance(80)) disk.cut_power();  // otherwise it is closed in good order
        } else {
          // An open that fails must fail for the trouble that was ordered, never because it found its own log damaged.
          const ErrorKind kind = store.error().kind;
          const bool ordered = kind == ErrorKind::Io || kind == ErrorKind::DiskFull || kind == ErrorKind::NotFound;
          REQUIRE_MESSAGE(ordered, store.error().describe());
        }
      }
      crash();
      trouble = false;
    }
    auto store = Store::open(options());
    REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
    settle_unknown(**store);
    check(**store);
    append_some(**store);
    check(**store);
  }

  /// Whatever happened to writing, what was acknowledged can be read.
  void check_readable(const Store& store) {
    Record record;
    const auto view = store.view();
    for (const auto& [id, known] : stored) {
      if (read(*view, known.position, record)) REQUIRE(record.body().data == known.data);
    }
  }
};

}  // namespace stele::test
