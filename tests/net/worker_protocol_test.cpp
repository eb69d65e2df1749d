#include "net/worker/worker_protocol.h"

#include <doctest/doctest.h>
#include <signal.h>

#include <cstring>
#include <string>

#include "engine/base/bytes.h"
#include "tests/net/script_events.h"

namespace stele::net {

namespace {

using Kind = api::FoldFailure::Kind;

std::string_view payload_of(const std::string& frame) {
  const auto header = decode_frame_header(std::string_view(frame).substr(0, kFrameHeaderBytes));
  REQUIRE(header.has_value());
  REQUIRE(header->payload_bytes == frame.size() - kFrameHeaderBytes);
  return std::string_view(frame).substr(kFrameHeaderBytes);
}

/// What a reader makes of these bytes if they come in pieces of that size: replies, and whether it gave up.
struct Read {
  std::vector<WorkerReply> replies;
  bool malformed = false;
};
Read read_replies(std::string_view bytes, std::size_t piece, std::size_t state_bytes_max = 1000) {
  Read read;
  ReplyReader reader;
  reader.set_state_bytes_max(state_bytes_max);
  while (!bytes.empty()) {
    const std::string_view some = bytes.substr(0, piece);
    std::memcpy(reader.prepare(some.size()), some.data(), some.size());
    reader.filled(some.size());
    bytes.remove_prefix(some.size());
    for (;;) {
      auto next = reader.next();
      if (std::holds_alternative<ReplyReader::More>(next)) break;
      if (std::holds_alternative<ReplyReader::Malformed>(next)) {
        read.malformed = true;
        return read;
      }
      read.replies.push_back(std::move(*std::get_if<WorkerReply>(&next)));
    }
  }
  return read;
}

bool is_refused(const std::string& bytes) { return read_replies(bytes, bytes.size()).malformed; }

std::string failure_frame(const api::FoldFailure& failure) {
  std::string frame;
  append_failure(frame, 7, failure);
  return frame;
}

}  // namespace

TEST_CASE("WorkerProtocol.WhatTheServerSaysComesBackAsItWas") {
  std::string frame;
  append_setup(frame, {.memory_bytes_max = 5'000'000'000, .trusted = true});
  const auto setup = decode_setup(payload_of(frame));
  REQUIRE(setup.has_value());
  CHECK(setup->memory_bytes_max == 5'000'000'000);
  CHECK(setup->trusted);

  frame.clear();
  append_start(frame, 9, {.call_time_ms = 100, .state_bytes_max = 16, .state = "{}", .source = "({})"});
  const auto start = decode_start(payload_of(frame));
  REQUIRE(start.has_value());
  CHECK(start->call_time_ms == 100);
  CHECK(start->state_bytes_max == 16);
  CHECK(start->state == "{}");
  CHECK(start->source == "({})");
  frame.clear();
  append_start(frame, 9, {.source = ""});
  CHECK_FALSE(decode_start(payload_of(frame))->state.has_value());
}

TEST_CASE("WorkerProtocol.EventsComeBackAsTheyWere") {
  std::string events;
  append_event(events, *tests::script_record("Moved", R"({"x":1})"));
  append_event(events, *tests::script_record("Left", std::nullopt));
  append_event(events, *tests::redacted_script_record("Moved"));
  append_event(events, WorkerEvent{.type = "T", .envelope = "{}", .data = "[]", .redacted = false});
  std::string_view rest = events;
  auto event = take_event(rest);
  REQUIRE(event.has_value());
  CHECK(event->type == "Moved");
  CHECK(event->data == R"({"x":1})");
  CHECK(event->envelope.starts_with(R"({"eventId":"0192f0c4-)"));
  CHECK(event->envelope.ends_with(R"("userId":"ada"})"));
  CHECK_FALSE(event->redacted);
  event = take_event(rest);
  CHECK(event->type == "Left");
  CHECK_FALSE(event->data.has_value());
  event = take_event(rest);
  CHECK(event->redacted);
  CHECK_FALSE(event->data.has_value());
  CHECK(event->envelope.ends_with(R"("redacted":["data"]})"));
  event = take_event(rest);
  CHECK(event->envelope == "{}");
  CHECK(event->data == "[]");
  CHECK(rest.empty());
}

TEST_CASE("WorkerProtocol.AnEventWhoseTypeHasAnAliasComesUnderThat") {
  api::AliasTable aliases;
  aliases.set("Moved", "Sent");
  std::string events;
  append_event(events, *tests::script_record("Moved", "1"), nullptr, &aliases);
  append_event(events, *tests::script_record("Left", "1"), nullptr, &aliases);
  std::string_view rest = events;
  auto event = take_event(rest);
  REQUIRE(event.has_value());
  CHECK(event->type == "Sent");
  CHECK(event->envelope.find(R"("eventType":"Sent","storedEventType":"Moved")") != std::string::npos);
  event = take_event(rest);
  CHECK(event->type == "Left");
  CHECK(event->envelope.find("storedEventType") == std::string::npos);
}

TEST_CASE("WorkerProtocol.CutPayloadsAreNone") {
  std::string frame;
  append_start(frame, 1, {.state = "{}", .source = "({})"});
  const std::string_view payload = payload_of(frame);
  for (std::size_t i = 0; i < payload.size(); ++i) CHECK_FALSE(decode_start(payload.substr(0, i)).has_value());
  CHECK_FALSE(decode_start(std::string(payload) + "x").has_value());
  std::string event;
  append_event(event, WorkerEvent{.type = "T", .envelope = "{}", .data = "[]", .redacted = false});
  for (std::size_t i = 0; i < event.size(); ++i) {
    std::string_view cut = std::string_view(event).substr(0, i);
    CHECK_FALSE(take_event(cut).has_value());
  }
}

TEST_CASE("WorkerProtocol.RepliesComeBackAsTheyWere") {
  std::string bytes;
  append_text(bytes, FrameType::Ready, 0, "engine 1");
  append_empty(bytes, FrameType::Started, 7);
  append_done(bytes, 7, {.applied = 1, .ignored = 2, .redacted = 3});
  append_text(bytes, FrameType::State, 7, R"({"a":[1,"x"]})");
  api::FoldFailure failure;
  failure.kind = Kind::Threw;
  failure.message = "TypeError: \xC3\xA4";
  failure.line = 3;
  failure.column = 4;
  failure.event = 0;
  bytes += failure_frame(failure);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{5}, bytes.size()}) {
    const Read read = read_replies(bytes, piece);
    CHECK_FALSE(read.malformed);
    REQUIRE(read.replies.size() == 5);
    CHECK(read.replies[0].text == "engine 1");
    CHECK(read.replies[1].type == FrameType::Started);
    CHECK(read.replies[1].fold == 7);
    CHECK(read.replies[2].counts.ignored == 2);
    CHECK(read.replies[3].text == R"({"a":[1,"x"]})");
    CHECK(read.replies[4].failure.message == failure.message);
    CHECK(read.replies[4].failure.line == failure.line);
    CHECK(read.replies[4].failure.event == failure.event);
  }
}

TEST_CASE("WorkerProtocol.WhatAWorkerMustNotSayIsRefused") {
  const auto frame = [](FrameType type, std::string_view payload) {
    std::string bytes;
    append_text(bytes, type, 1, payload);
    return bytes;
  };
  CHECK_FALSE(is_refused(frame(FrameType::State, "{}")));
  CHECK(is_refused(frame(FrameType::State, "{")));
  CHECK(is_refused(frame(FrameType::State, "{}\xFF")));
  CHECK(is_refused(frame(FrameType::State, "\"\xED\xA0\x80\"")));
  CHECK(is_refused(frame(FrameType::State, "\"" + std::string(1000, 'x') + "\"")));  // longer than it may be
  CHECK(is_refused(frame(FrameType::Started, "x")));
  CHECK(is_refused(frame(FrameType::Done, "x")));
  CHECK(is_refused(frame(FrameType::Failed, "")));
  CHECK(is_refused(frame(FrameType::Setup, "")));  // what only a server says
  CHECK(is_refused(frame(FrameType::Ready, std::string(65, 'x'))));
  CHECK(is_refused(std::string("\0\0\0\0\0\0\0\0\x63\0\0\0", 12)));          // no such type
  CHECK(is_refused(std::string("\xFF\xFF\xFF\xFF\0\0\0\0\x14\0\0\0", 12)));  // 4 GiB of state, refused before it comes
  api::FoldFailure busy;
  busy.kind = Kind::Busy;
  CHECK(is_refused(failure_frame(busy)));
  api::FoldFailure bad;
  bad.kind = Kind::Threw;
  std::string bytes = failure_frame(bad);
  bytes[kFrameHeaderBytes + 17] = 100;  // a length beyond the end
  CHECK(is_refused(bytes));
}

TEST_CASE("WorkerProtocol.LongAndFaultyMessagesAreCutToText") {
  CHECK(clean_text("abc", 3) == "abc");
  CHECK(clean_text("ab\xC3\xA4", 3) == "ab");
  CHECK(clean_text("a\xFF", 3) == "a?");
  api::FoldFailure failure;
  failure.kind = Kind::Threw;
  failure.message = std::string(5000, 'x');
  failure.pointer = std::string(9000, '/');
  const Read read = read_replies(failure_frame(failure), 10'000);
  REQUIRE(read.replies.size() == 1);
  CHECK(read.replies[0].failure.message.size() == kMessageBytesMax);
  CHECK(read.replies[0].failure.pointer.size() == kPointerBytesMax);
}

TEST_CASE("WorkerProtocol.StatesAreJson") {
  for (const char* const good :
       {"null", "true", "false", "0", "-0", "1.5e+300", "123456789012345678901234567890", "\"\"", "\"\\u00e4\\n\"",
        "[]", "{}", "[1,[2,{}],\"x\"]", R"({"a":{"b":[{}]},"c":null})", " [ 1 , 2 ] "}) {
    CHECK_MESSAGE(is_state_json(good), good);
  }
  for (const char* const bad :
       {"",          "nul",        "01",    "1.",  ".5",   "1e",  "+1",    "\"",     "\"\\x\"", "\"\\u12g4\"",
        "\"\n\"",    "[",          "[1",    "[1,", "[1,]", "]",   "{",     "{\"a\"", "{\"a\":", "{\"a\":1",
        "{\"a\":1,", "{\"a\":1,}", "{1:2}", "[}",  "{]",   "1 2", "[] []", "NaN"}) {
    CHECK_MESSAGE(!is_state_json(bad), bad);
  }
  CHECK(is_state_json(std::string(512, '[') + std::string(512, ']')));
  CHECK_FALSE(is_state_json(std::string(513, '[') + std::string(513, ']')));
}

TEST_CASE("WorkerProtocol.TheEndOfAProcessSaysWhy") {
  const auto exited = [](int code) { return failure_of_exit(code << 8); };
  CHECK(exited(71).limit == "call-time");
  CHECK(exited(72).limit == "state-time");
  CHECK(exited(73).limit == "memory");
  CHECK(exited(0).kind == Kind::Died);
  CHECK(exited(1).kind == Kind::Died);
  CHECK(failure_of_exit(SIGSEGV).limit == "memory");
  CHECK(failure_of_exit(SIGABRT).limit == "memory");
  CHECK(failure_of_exit(SIGSYS).limit == "system-call");
  CHECK(failure_of_exit(SIGKILL).kind == Kind::Died);
  CHECK(failure_of_exit(SIGTERM).kind == Kind::Died);
}

}  // namespace stele::net
