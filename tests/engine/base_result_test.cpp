#include <doctest/doctest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <unordered_set>

#include "engine/base/ids.h"
#include "engine/base/result.h"

namespace stele {
namespace {

Result<int> positive(int value) {
  if (value <= 0) return Error{.kind = ErrorKind::InvalidArgument, .message = "not positive"};
  return value;
}

Result<int> sum(int a, int b) {
  STELE_ASSIGN(const int left, positive(a));
  STELE_ASSIGN(const int right, positive(b));
  return left + right;
}

Status both(int a, int b) {
  STELE_TRY(positive(a));
  STELE_TRY(positive(b));
  return {};
}

TEST_CASE("Result.HoldsAValueOrAnError") {
  const auto good = positive(3);
  REQUIRE(good);
  CHECK(*good == 3);
  const auto bad = positive(0);
  REQUIRE_FALSE(bad);
  CHECK(bad.error().kind == ErrorKind::InvalidArgument);
  CHECK(bad.error().message == "not positive");
}

TEST_CASE("Result.TryAndAssignHandTheFirstErrorOn") {
  CHECK(sum(1, 2).value() == 3);
  CHECK_FALSE(sum(1, 0));
  CHECK_FALSE(sum(0, 1));
  CHECK(both(1, 1));
  CHECK_FALSE(both(1, -1));
}

TEST_CASE("Result.MovesWhatCannotBeCopied") {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = std::move(result).value();
  CHECK(*taken == 7);
}

TEST_CASE("Error.DescribesFileOffsetAndTheSystemsWords") {
  Error error = os_error(EIO, "cannot read", "/data/x");
  error.offset = 12;
  CHECK(error.kind == ErrorKind::Io);
  CHECK(error.describe() == "I/O error: cannot read [/data/x at byte 12] (Input/output error)");
  CHECK(Error{.kind = ErrorKind::Busy, .message = "queue"}.describe() == "busy: queue");
}

TEST_CASE("Error.KindFollowsErrno") {
  CHECK(os_error(ENOSPC, "").kind == ErrorKind::DiskFull);
  CHECK(os_error(EDQUOT, "").kind == ErrorKind::DiskFull);
  CHECK(os_error(ENOENT, "").kind == ErrorKind::NotFound);
  CHECK(os_error(EACCES, "").kind == ErrorKind::Io);
}

TEST_CASE("StrongId.OrdersCountsAndHashes") {
  CHECK(Position{7}.next() == Position{8});
  CHECK(Position{7}.plus(3).since(Position{7}) == 3);
  CHECK(Position{1} < Position{2});
  CHECK(Position{}.value() == 0);
  CHECK(std::unordered_set<Position>{Position{1}, Position{1}, Position{2}}.size() == 2);
  static_assert(!std::is_convertible_v<Position, std::uint64_t> && !std::is_convertible_v<std::uint64_t, Position>);
  static_assert(!std::is_constructible_v<Position, SequenceNumber>);
}

}  // namespace
}  // namespace stele
