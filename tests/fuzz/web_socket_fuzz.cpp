// What a client says once its connection is a WebSocket.
//
// Input: one byte (length of the pieces it arrives in), then the frames.

#include <simdjson.h>

#include <memory>

#include "api/live/live_socket.h"
#include "engine/base/check.h"
#include "net/live/web_socket.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::net {
namespace {

constexpr std::size_t kFuzzedMessageMax = 300;

std::vector<std::string> web_socket_seeds() {
  const std::string mask(4, '\0');
  const std::string credit = R"({"type":"credit","events":7})";
  const auto frame = [&](unsigned char first, std::string_view payload) {
    std::string bytes(1, static_cast<char>(first));
    if (payload.size() < 126) {
      bytes += static_cast<char>(0x80 | payload.size());
    } else {
      bytes += '\xFE';
      bytes += static_cast<char>(payload.size() >> 8);
      bytes += static_cast<char>(payload.size());
    }
    return bytes + mask + std::string(payload);
  };
  return {"\x03" + frame(0x81, credit) + frame(0x89, "ping") + frame(0x88, "\x03\xE8"),
          "\xFF" + frame(0x01, "{\"type\":") + frame(0x8A, "") + frame(0x80, "\"credit\",\"events\":1}"),
          "\x10" + frame(0x81, std::string(kFuzzedMessageMax, 'x')) + frame(0x82, "binary"),
          "\x01" + frame(0x81, "\xC3\xA4") + std::string("\x81\xFF\x00\x00\x00\x01\x00\x00\x00\x00", 10) + mask};
}

struct HeardMessages {
  std::vector<std::string> texts;
  std::string answer;
  bool ended = false;
};

class Listener final : public api::MessageConversation {
 public:
  explicit Listener(HeardMessages& heard) : heard_(heard) {}
  void begin(std::shared_ptr<api::Waker> /*waker*/) override {}
  Result<Step> next(Occasion /*occasion*/, Sink& to) override {
    to.message("said");
    return Step::Wait;
  }
  void take(std::string_view text, Sink& to) override {
    heard_.texts.emplace_back(text);
    if (!api::parse_credit(text)) to.close({1008, "not-understood"});
  }
  [[nodiscard]] bool may_block() const override { return false; }
  [[nodiscard]] std::chrono::milliseconds quiet_max() const override { return {}; }

 private:
  HeardMessages& heard_;
};

HeardMessages hear_messages(std::string_view bytes, std::size_t piece_max) {
  HeardMessages heard;
  WebSocket socket(std::make_unique<Listener>(heard), kFuzzedMessageMax);
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, piece_max);
    const auto taken = socket.take(piece);
    STELE_CHECK(taken && *taken == piece.size());
    bytes.remove_prefix(piece.size());
  }
  const auto step = socket.next(api::PushedBody::Occasion::Woken, heard.answer);
  STELE_CHECK(step);
  heard.ended = *step == api::PushedBody::Step::End;
  return heard;
}

}  // namespace

FUZZ_TARGET(web_socket, web_socket_seeds) {
  if (input.empty()) return;
  const std::size_t piece = static_cast<unsigned char>(input[0]) + 1U;
  const fuzz::Exact bytes(input.substr(1));
  const HeardMessages whole = hear_messages(bytes.view(), bytes.view().size());
  const HeardMessages pieces = hear_messages(bytes.view(), piece);
  STELE_CHECK(whole.texts == pieces.texts && whole.answer == pieces.answer && whole.ended == pieces.ended);
  for (const std::string& text : whole.texts) {
    STELE_CHECK(text.size() <= kFuzzedMessageMax && simdjson::validate_utf8(text));
  }
}

}  // namespace stele::net
