// What a worker process says, when a stranger's script has it in its hands.
//
// Input: one byte (length of the pieces it arrives in), one byte (how long a state may be, in units of 16), then the
// replies.

#include <algorithm>
#include <cstring>

#include "engine/base/check.h"
#include "net/worker/worker_protocol.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::net {
namespace {

using Kind = api::FoldFailure::Kind;

std::vector<std::string> seeds() {
  std::string good("\x07\x10", 2);
  append_text(good, FrameType::Ready, 0, "spidermonkey-102");
  append_empty(good, FrameType::Started, 1);
  append_done(good, 1, {.applied = 2, .ignored = 1, .redacted = 1});
  append_text(good, FrameType::State, 1, R"({"a":[1,-2.5e+3,"\u00e4\n",true,false,null,{}],"b":""})");
  std::string failed("\x40\x10", 2);
  api::FoldFailure failure;
  failure.kind = Kind::Threw;
  failure.message = "TypeError: \xC3\xA4 is undefined";
  failure.line = 3;
  failure.column = 9;
  failure.event = 17;
  append_failure(failed, 2, failure);
  failure = {};
  failure.kind = Kind::NoJson;
  failure.pointer = "/a/0";
  failure.message = "a Date";
  append_failure(failed, 2, failure);
  failure = {};
  failure.kind = Kind::Limit;
  failure.limit = "memory";
  append_failure(failed, 3, failure);
  append_empty(failed, FrameType::Evaluated, 3);
  append_text(failed, FrameType::Upcasted, 3, R"({"a":1})");
  append_failure(failed, 3, failure, FrameType::UpcastFailed);
  std::string none("\x01\x01", 2);
  append_text(none, FrameType::Unavailable, 0, "seccomp: Operation not permitted");
  append_text(none, FrameType::State, 1, "{\"a\":[[[1,2],{\"b\":\"\\\\\"}]]}");
  return {good, failed, none};
}

struct Heard {
  std::vector<WorkerReply> replies;
  bool malformed = false;
};

Heard hear(std::string_view bytes, std::size_t piece_max, std::size_t state_bytes_max) {
  Heard heard;
  ReplyReader reader;
  reader.set_state_bytes_max(state_bytes_max);
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, piece_max);
    std::memcpy(reader.prepare(piece.size()), piece.data(), piece.size());
    reader.filled(piece.size());
    bytes.remove_prefix(piece.size());
    for (;;) {
      auto next = reader.next();
      if (std::holds_alternative<ReplyReader::More>(next)) break;
      if (std::holds_alternative<ReplyReader::Malformed>(next)) {
        STELE_CHECK(std::holds_alternative<ReplyReader::Malformed>(reader.next()));
        heard.malformed = true;
        return heard;
      }
      heard.replies.push_back(std::move(*std::get_if<WorkerReply>(&next)));
    }
  }
  return heard;
}

void check_reply(const WorkerReply& reply, std::size_t state_bytes_max) {
  STELE_CHECK(reply.type >= FrameType::Ready);
  const api::FoldFailure& failure = reply.failure;
  STELE_CHECK(failure.message.size() <= kMessageBytesMax && failure.pointer.size() <= kPointerBytesMax);
  STELE_CHECK(clean_text(failure.message, kMessageBytesMax) == failure.message);
  STELE_CHECK(clean_text(failure.pointer, kPointerBytesMax) == failure.pointer);
  if (reply.type == FrameType::Failed || reply.type == FrameType::UpcastFailed) {
    STELE_CHECK(failure.kind == Kind::Syntax || failure.kind == Kind::Threw || failure.kind == Kind::NoJson ||
                failure.kind == Kind::Limit);
  }
  if (reply.type == FrameType::State || reply.type == FrameType::Upcasted) {
    STELE_CHECK(reply.text.size() <= state_bytes_max && is_state_json(reply.text));
  }
}

}  // namespace

FUZZ_TARGET(worker_reply, seeds) {
  if (input.size() < 3) return;
  const std::size_t piece = static_cast<unsigned char>(input[0]) + 1U;
  const std::size_t state_bytes_max = static_cast<unsigned char>(input[1]) * std::size_t{16};
  const fuzz::Exact bytes(input.substr(2));
  const Heard whole = hear(bytes.view(), bytes.view().size(), state_bytes_max);
  const Heard pieces = hear(bytes.view(), piece, state_bytes_max);
  STELE_CHECK(whole.malformed == pieces.malformed && whole.replies.size() == pieces.replies.size());
  for (std::size_t i = 0; i < whole.replies.size(); ++i) {
    const WorkerReply &a = whole.replies[i], &b = pieces.replies[i];
    STELE_CHECK(a.type == b.type && a.fold == b.fold && a.text == b.text);
    STELE_CHECK(a.failure.message == b.failure.message && a.failure.event == b.failure.event);
    check_reply(a, state_bytes_max);
  }
  // The same bytes as what a server sends: a worker ends on what is faulty, and reads nothing beyond it.
  std::string_view rest = bytes.view();
  while (!rest.empty() && take_event(rest)) {
  }
  (void)decode_start(bytes.view());
  (void)decode_upcaster(bytes.view());
  (void)decode_setup(bytes.view());
}

}  // namespace stele::net
