#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/replay/last_fold.h"
#include "api/replay/merge_fold.h"
#include "engine/base/bytes.h"
#include "engine/base/check.h"
#include "engine/base/digest.h"

using namespace stele;
using namespace stele::api;

namespace {

std::unique_ptr<Record> decoded(std::string_view bytes) {
  auto record = std::make_unique<Record>();
  std::copy(bytes.begin(), bytes.end(), record->prepare(bytes.size()).begin());
  STELE_CHECK(record->decode().has_value());
  return record;
}

std::string encoded(std::optional<std::string_view> data) {
  RecordHeader header;
  header.aggregate_id = "mission/1";
  header.event_type = "T";
  header.sequence = SequenceNumber{1};
  RecordBody body;
  body.data = data;
  if (data) header.data_length = static_cast<std::uint32_t>(data->size());
  std::string bytes;
  (void)append_record(bytes, header, Seed{}, body);
  return bytes;
}

std::unique_ptr<Record> event_of_data(std::optional<std::string_view> data) { return decoded(encoded(data)); }

/// As format-spec.md has it: a digest where the data was.
std::unique_ptr<Record> redacted_event() {
  const std::string whole = encoded("{}");
  std::string content = whole.substr(16, get_at<std::uint16_t>(whole.data() + 16 + 4));
  content += as_bytes(sha256({"what was there"}));
  std::string bytes;
  put<std::uint32_t>(bytes, static_cast<std::uint32_t>(16 + content.size()));
  put<std::uint32_t>(bytes, 1);
  put<std::uint64_t>(bytes, xxh3(bytes + content));
  return decoded(bytes + content);
}

std::string json_of_fold(Fold& fold) { return std::get<FoldState>(fold.state()).json; }

}  // namespace

TEST_CASE("MergeFold.MergesAndCounts") {
  MergeFold fold("{}", 1000);
  CHECK(json_of_fold(fold) == "{}");
  CHECK(!fold.apply(*event_of_data(R"({ "a": 1.0, "b": 2 })")));
  CHECK(!fold.apply(*event_of_data(std::nullopt)));
  CHECK(!fold.apply(*event_of_data(R"({"b":null})")));
  const FoldState state = std::get<FoldState>(fold.state());
  CHECK(state.json == R"({"a":1.0})");
  CHECK(state.applied == 2);
  CHECK(state.ignored == 1);
  CHECK(state.redacted == 0);
  CHECK(!fold.apply(*event_of_data("[1, 2]")));
  CHECK(json_of_fold(fold) == "[1,2]");
}

TEST_CASE("MergeFold.BeginsAtAGivenState") {
  MergeFold fold(R"({"a":1,"n":null})", 1000);
  CHECK(!fold.apply(*event_of_data(R"({"b":2})")));
  CHECK(json_of_fold(fold) == R"({"a":1,"n":null,"b":2})");
}

TEST_CASE("MergeFold.FailsForEverAtTheEventThatMadeTheStateTooLarge") {
  MergeFold fold("{}", 20);
  CHECK(!fold.apply(*event_of_data(R"({"a":"0123456789"})")));  // 18 bytes
  CHECK(!fold.apply(*event_of_data(R"({"a":"012345678901"})")));
  const auto failure = fold.apply(*event_of_data(R"({"b":1})"));
  REQUIRE(failure);
  CHECK(failure->kind == FoldFailure::Kind::Limit);
  CHECK(failure->limit == "state-size");
  CHECK(failure->event == 2);
  CHECK(fold.apply(*event_of_data(R"({"a":null})"))->event == 2);
  CHECK(std::get<FoldFailure>(fold.state()).limit == "state-size");
  MergeFold at_once("[1,2,3]", 6);
  CHECK(!std::get<FoldFailure>(at_once.state()).event);
}

TEST_CASE("BuiltInFolds.PassOverWhatIsRedacted") {
  MergeFold merge("{}", 1000);
  LastFold last("null", 1000);
  for (Fold* const fold : {static_cast<Fold*>(&merge), static_cast<Fold*>(&last)}) {
    CHECK(!fold->apply(*event_of_data(R"({"a":1})")));
    CHECK(!fold->apply(*redacted_event()));
    const FoldState state = std::get<FoldState>(fold->state());
    CHECK(state.json == R"({"a":1})");
    CHECK(state.applied == 1);
    CHECK(state.redacted == 1);
    CHECK(state.ignored == 0);
  }
}

TEST_CASE("LastFold.KeepsTheNewestData") {
  LastFold fold("null", 10);
  CHECK(json_of_fold(fold) == "null");
  CHECK(!fold.apply(*event_of_data(R"({"a":1})")));
  CHECK(!fold.apply(*event_of_data(" [ 1, 2,   3 ]   ")));
  CHECK(!fold.apply(*event_of_data(std::nullopt)));
  const FoldState state = std::get<FoldState>(fold.state());
  CHECK(state.json == "[1,2,3]");
  CHECK(state.applied == 2);
  CHECK(state.ignored == 1);
  const auto failure = fold.apply(*event_of_data(R"("0123456789")"));
  REQUIRE(failure);
  CHECK(failure->limit == "state-size");
  CHECK(failure->event == 3);
  CHECK(std::get<FoldFailure>(fold.state()).event == 3);
}
