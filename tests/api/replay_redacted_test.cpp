// Replays over events whose data was removed, in a log that was rewritten as redaction will do it.

#include <doctest/doctest.h>

#include <future>
#include <memory>
#include <string>

#include "tests/api/fake_scripts.h"
#include "tests/api/support.h"
#include "tests/support/rewritten_segment.h"
#include "tests/support/sample_store.h"
#include "tests/support/simulated_file_system.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;
using namespace stele::test;

namespace {

constexpr const char* kSegment = "/store/log/0000000000000001.seg";
constexpr std::uint64_t kEvents = 400;

/// Events of one aggregate, `{"n":1,"k1":1}` … each with a member of its own, in segments of which the first is sealed.
FileContents make_files() {
  SimulatedFileSystem disk(1);
  auto store = Store::open(sample_options(disk)).value();
  for (std::uint64_t i = 1; i <= kEvents; ++i) {
    RecordDraft draft;
    draft.event_id.bytes[15] = static_cast<std::uint8_t>(i);
    draft.event_id.bytes[14] = static_cast<std::uint8_t>(i >> 8);
    draft.event_id.bytes[6] = 0x70;
    draft.event_id.bytes[8] = 0x80;
    draft.aggregate_id = "a";
    draft.event_type = "T";
    const std::string n = std::to_string(i);
    draft.data = R"({"n":)" + n + R"(,"k)" + n + R"(":1,"fill":")" + std::string(200, 'x') + "\"}";
    draft.seal();
    Proposal proposal;
    proposal.events.push_back(std::move(draft));
    REQUIRE(store->append_and_wait(std::move(proposal)).kind == AppendOutcome::Kind::Stored);
  }
  REQUIRE(store->metrics().log_segments > 1);
  REQUIRE(store->close());
  FileContents files;
  read_folder(disk, "/store", files);
  return files;
}

}  // namespace

TEST_CASE("ReplayRedacted.BuiltInFoldsPassOverWhatWasRemoved") {
  FileContents files = make_files();
  // The genesis record is the first in it, so this is event number 5.
  files[kSegment] = rewritten(files.at(kSegment), 5, Link::Kept);
  SimulatedFileSystem disk(2);
  write_files(disk, files);
  const auto store = Store::open(sample_options(disk)).value();
  {
    FakeScripts scripts;
    TestScheduler scheduler;
    ServiceOptions options;
    options.scripts = &scripts;
    Service service(*store, scheduler, options);
    const auto replay = [&](const std::string& body) {
      TestRequest request(Method::Post, "/v1/events/replay/a", body, {{"Content-Type", "application/json"}}, scheduler);
      std::promise<Answer> answer;
      service.handle(request, [&](Response response) {
        Answer given;
        given.status = response.status;
        given.body = std::move(response.body);
        answer.set_value(std::move(given));
      });
      return answer.get_future().get();
    };
    const Answer merged = replay("{}");
    REQUIRE(merged.status == 200);
    CHECK(merged.at("/eventsRedacted") == "1");
    CHECK(merged.at("/eventsApplied") == std::to_string(kEvents - 1));
    CHECK(merged.at("/state/k4") == "1");
    CHECK(merged.at("/state/k5") == "none");
    CHECK(merged.at("/state/k6") == "1");
    const Answer last = replay(R"({"toSequence":5,"handler":{"name":"last"}})");
    CHECK(last.at("/state/n") == "4");
    CHECK(last.at("/sequenceNumber") == "5");
    CHECK(last.at("/eventsRedacted") == "1");
    // A script is given the event without its data.
    CHECK(replay(R"({"handler":{"source":"count"}})").at("/state") == std::to_string(kEvents));
  }
  CHECK(store->close());
}
