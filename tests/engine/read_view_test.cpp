#include "engine/store/read_view.h"

#include <doctest/doctest.h>

#include <vector>

#include "tests/support/sample_store.h"
#include "tests/support/simulated_file_system.h"

using namespace stele;
using namespace stele::test;

namespace {

std::vector<std::uint64_t> found_by(const ReadView& view, const EventQuery& query) {
  std::vector<std::uint64_t> positions;
  const auto stream = view.query(query).value();
  Record record;
  while (stream->next(record).value()) positions.push_back(record.header().position.value());
  return positions;
}

}  // namespace

TEST_CASE("ReadView.EventsOfAnyOfSeveralAggregates") {
  SimulatedFileSystem disk{1};
  const auto store = Store::open(sample_options(disk)).value();
  append_sample(*store, 40);
  const auto view = store->view();
  EventQuery query;
  query.aggregate_ids = {"aggregate-5", "aggregate-2", "nothing", "aggregate-2"};
  CHECK(found_by(*view, query) == std::vector<std::uint64_t>{2, 5, 9, 12, 16, 19, 23, 26, 30, 33, 37, 40});
  query.after = Position{9};
  query.before = Position{26};
  CHECK(found_by(*view, query) == std::vector<std::uint64_t>{12, 16, 19, 23});
  query.direction = Direction::Descending;
  CHECK(found_by(*view, query) == std::vector<std::uint64_t>{23, 19, 16, 12});
  query = {};
  query.aggregate_ids = {"aggregate-5", "aggregate-6"};
  query.event_types = {"Rare"};
  CHECK(found_by(*view, query) == std::vector<std::uint64_t>{13, 26});
  query.aggregate_id = "aggregate-5";
  CHECK(found_by(*view, query) == std::vector<std::uint64_t>{26});
  query.aggregate_id = "aggregate-1";
  CHECK(found_by(*view, query).empty());
}
