// What the status of a redaction counts when it was not done in one go.

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>

#include "engine/base/file_system.h"
#include "tests/api/room_fixture.h"
#include "tests/api/support.h"
#include "tests/support/forwarding_file_system.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

/// A disk that has room for one segment that is written anew, and for more when it is told so.
class FullAfterOne final : public stele::test::ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (path.ends_with(".rewritten") && mode != OpenMode::Read && ++rewritten > 1 && !has_room) {
      return Error{.kind = ErrorKind::DiskFull, .message = "full", .file = path};
    }
    return ForwardingFileSystem::open(path, mode);
  }

  std::atomic<int> rewritten{0};
  std::atomic<bool> has_room{false};
};

}  // namespace

TEST_CASE("RedactionCounts.OfARedactionThatFailedOnTheWayAreOfAllOfIt") {
  FullAfterOne files(posix_file_system());
  TestService service({}, &files, {});
  const std::string filler = "\"" + std::string(900'000, 'f') + "\"";
  const auto append = [&](const std::string& aggregate, const std::string& data) {
    const Answer stored = service.post(event(aggregate, data));
    REQUIRE_MESSAGE(stored.status == 201, stored.body);
  };
  append("a", R"({"secret":1})");
  append("a", R"({"secret":2})");
  for (int i = 0; i < 5; ++i) append("others", filler);
  append("a", R"({"secret":3})");
  REQUIRE(service.store().metrics().log_segments == 2);
  const Answer asked = service.send(Method::Post, "/v1/aggregates/a/redact", R"({"reason":"a court says so"})",
                                    {{"Content-Type", "application/json"}});
  REQUIRE_MESSAGE(asked.status == 202, asked.body);
  const std::string status = asked.header("Location");
  wait_until([&] { return service.get(status).text("/state") == "waiting"; });
  const Answer waiting = service.get(status);
  CHECK(waiting.text("/waitingFor/0").find("no room on the disk") != std::string::npos);
  CHECK(waiting.at("/counts/events") == "2");
  files.has_room = true;
  wait_until([&] { return service.get(status).text("/state") == "completed"; });
  const Answer complete = service.get(status);
  CHECK(complete.at("/counts/events") == "3");
  CHECK(complete.at("/counts/members") == "3");
  CHECK(complete.at("/counts/bytes") == "36");
  CHECK(complete.at("/counts/segments") == "2");
}
