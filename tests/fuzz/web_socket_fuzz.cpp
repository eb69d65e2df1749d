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
  STELE_CHECK(socket.next(api::PushedBody::Occasion::Woken, heard.answer));
  return heard;
}

/// Whole ones, not masked, short, and nothing behind a close frame.
void check_frames(std::string_view bytes) {
  while (!bytes.empty()) {
    STELE_CHECK(bytes.size() >= 2);
    const auto first = static_cast<unsigned char>(bytes[0]), size = static_cast<unsigned char>(bytes[1]);
    STELE_CHECK((first & 0xF0) == 0x80 && size <= 125 && bytes.size() >= 2U + size);
    bytes.remove_prefix(2U + size);
    STELE_CHECK(first != 0x88 || bytes.empty());
  }
}

}  // namespace

FUZZ_TARGET(web_socket, web_socket_seeds) {
  if (input.empty()) return;
  const std::size_t piece = static_cast<unsigned char>(input[0]) + 1U;
  const fuzz::Exact bytes(input.substr(1));
  const HeardMessages whole = hear_messages(bytes.view(), bytes.view().size());
  const HeardMessages pieces = hear_messages(bytes.view(), piece);
  // How it is closed may differ: the reason of a close frame is looked at as it comes.
  STELE_CHECK(whole.texts == pieces.texts);
  check_frames(whole.answer);
  check_frames(pieces.answer);
  for (const std::string& text : whole.texts) {
    STELE_CHECK(text.size() <= kFuzzedMessageMax && simdjson::validate_utf8(text));
  }
}

}  // namespace stele::net
