// What Store::open() takes and refuses before it does anything.

#include <doctest/doctest.h>

#include <functional>
#include <thread>

#include "tests/support/eventually.h"
#include "tests/support/sample_store.h"

using namespace stele;
using namespace stele::test;
using stele::tests::wait_until;

namespace {

/// The error of an opening with one option changed; none if it opens.
std::optional<ErrorKind> open_refusal(const std::function<void(StoreOptions&)>& change) {
  SimulatedFileSystem disk(1);
  StoreOptions options = sample_options(disk);
  change(options);
  auto store = Store::open(options);
  if (!store) {
    CHECK(disk.calls() == 0);
    return store.error().kind;
  }
  append_sample(**store, 1);
  CHECK((*store)->close());
  return std::nullopt;
}

}  // namespace

TEST_CASE("StoreOptions.TheBoundsAreTakenAndWhatLiesBehindIsRefused") {
  const auto segment = [](std::uint64_t bytes) { return [=](StoreOptions& o) { o.segment_bytes = bytes; }; };
  CHECK_FALSE(open_refusal(segment(StoreBounds::kSegmentBytesMin)));
  CHECK(open_refusal(segment(StoreBounds::kSegmentBytesMin - 1)) == ErrorKind::InvalidArgument);
  CHECK(open_refusal(segment(StoreBounds::kSegmentBytesMax + 1)) == ErrorKind::InvalidArgument);

  const auto queue = [](std::uint64_t proposals) {
    return [=](StoreOptions& o) { o.queue_proposals_max = proposals; };
  };
  CHECK_FALSE(open_refusal(queue(StoreBounds::kQueueProposalsMin)));
  CHECK(open_refusal(queue(StoreBounds::kQueueProposalsMin - 1)) == ErrorKind::InvalidArgument);

  const auto part = [](std::uint64_t records) { return [=](StoreOptions& o) { o.index_part_records_max = records; }; };
  CHECK_FALSE(open_refusal(part(StoreBounds::kIndexPartRecordsMin)));
  CHECK_FALSE(open_refusal(part(StoreBounds::kIndexPartRecordsMax)));
  CHECK(open_refusal(part(StoreBounds::kIndexPartRecordsMin - 1)) == ErrorKind::InvalidArgument);
  CHECK(open_refusal(part(StoreBounds::kIndexPartRecordsMax + 1)) == ErrorKind::InvalidArgument);

  const auto origin = [](std::size_t bytes) { return [=](StoreOptions& o) { o.origin = std::string(bytes, 'o'); }; };
  CHECK_FALSE(open_refusal(origin(1)));
  CHECK_FALSE(open_refusal(origin(StoreBounds::kOriginBytesMax)));
  CHECK(open_refusal(origin(0)) == ErrorKind::InvalidArgument);
  CHECK(open_refusal(origin(StoreBounds::kOriginBytesMax + 1)) == ErrorKind::InvalidArgument);
  CHECK(open_refusal([](StoreOptions& o) { o.folder.clear(); }) == ErrorKind::InvalidArgument);
}

TEST_CASE("StoreOptions.WithoutCreateAStoreMustBeThere") {
  SimulatedFileSystem disk(1);
  StoreOptions options = sample_options(disk);
  options.create = false;
  const auto check_refused = [&] {
    const auto store = Store::open(options);
    REQUIRE_FALSE(store);
    CHECK(store.error().kind == ErrorKind::NotFound);
  };
  check_refused();
  CHECK_FALSE(disk.exists("/store").value());
  REQUIRE(disk.create_folders("/store/log"));  // an empty mount point, say
  check_refused();
  CHECK(disk.list("/store").value() == std::vector<std::string>{"log"});

  options.create = true;
  {
    const auto store = Store::open(options).value();
    CHECK(store->recovery().created);
    append_sample(*store, 1);
  }
  options.create = false;
  const auto store = Store::open(options).value();
  CHECK_FALSE(store->recovery().created);
  CHECK(store->durable_end() == Position{2});
}

TEST_CASE("StoreOptions.AStoreThatWasNeverFinishedIsNoneWithoutCreate") {
  for (std::uint64_t call = 1;; ++call) {
    SimulatedFileSystem disk(1);
    StoreOptions options = sample_options(disk);
    disk.cut_power_at_call(call);
    const bool finished = Store::open(options).has_value() && !disk.power_is_cut();
    disk.kill();
    options.create = false;
    const auto store = Store::open(options);
    CAPTURE(call);
    if (store) {
      CHECK_FALSE((*store)->recovery().created);
      CHECK((*store)->durable_end() == Position{1});
    } else {
      CHECK(store.error().kind == ErrorKind::NotFound);
    }
    if (finished) break;
  }
}

TEST_CASE("Store.AnAppendThatRacesCloseIsToldThatItIsClosing") {
  for (std::uint64_t round = 0; round < 50; ++round) {
    SimulatedFileSystem disk(round);
    auto store = Store::open(sample_options(disk)).value();
    std::atomic<int> wrong{0};
    std::atomic<int> started{0};
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        for (std::uint64_t i = 0;; ++i) {
          const AppendOutcome outcome = store->append_and_wait(sample_proposal(1 + t * 100'000 + i));
          if (i == 0) ++started;
          if (outcome.kind == AppendOutcome::Kind::Stored) continue;
          if (outcome.kind != AppendOutcome::Kind::Unavailable || outcome.detail.find("closing") == std::string::npos)
            ++wrong;
          return;
        }
      });
    }
    wait_until([&] { return started == 3; });
    CHECK(store->close());
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
  }
}
