// WebSocket frames without sockets: what clients may send, what they must not, and how it ends.

#include "net/live/web_socket.h"

#include <doctest/doctest.h>

#include <random>
#include <vector>

namespace stele::tests {

namespace {

using Occasion = api::PushedBody::Occasion;
using Step = api::PushedBody::Step;

enum Opcode : unsigned { kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

/// What the other end of a conversation does.
struct Script {
  std::vector<std::string> heard;
  std::vector<std::string> to_say;
  std::optional<api::MessageClose> to_close;
  int asked = 0;
};

class Scripted final : public api::MessageConversation {
 public:
  explicit Scripted(Script& script) : script_(script) {}
  void begin(std::shared_ptr<api::Waker> /*waker*/) override {}
  Result<MessageConversation::Step> next(Occasion /*occasion*/, Sink& to) override {
    ++script_.asked;
    for (const std::string& text : std::exchange(script_.to_say, {})) to.message(text);
    if (script_.to_close) to.close(*std::exchange(script_.to_close, std::nullopt));
    return MessageConversation::Step::Wait;
  }
  void take(std::string_view text, Sink& to) override {
    script_.heard.emplace_back(text);
    if (text == "bye") to.close({1000, "bye"});
  }
  [[nodiscard]] bool may_block() const override { return true; }
  [[nodiscard]] std::chrono::milliseconds quiet_max() const override { return std::chrono::seconds(10); }

 private:
  Script& script_;
};

/// As a client sends it: masked.
std::string frame(unsigned opcode, const std::string& payload, bool last = true, bool masked = true, unsigned rsv = 0) {
  std::string bytes(1, static_cast<char>((last ? 0x80U : 0U) | rsv << 4 | opcode));
  const unsigned mask_bit = masked ? 0x80 : 0;
  const std::size_t size = payload.size();
  if (size < 126) {
    bytes += static_cast<char>(mask_bit | size);
  } else if (size < 65536) {
    bytes += static_cast<char>(mask_bit | 126);
    for (int shift = 8; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift);
  } else {
    bytes += static_cast<char>(mask_bit | 127);
    for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift);
  }
  const std::string mask = "\x11\x22\x33\x44";
  if (masked) bytes += mask;
  for (std::size_t i = 0; i < size; ++i) bytes += masked ? static_cast<char>(payload[i] ^ mask[i % 4]) : payload[i];
  return bytes;
}
std::string close_frame(unsigned code, const std::string& reason = "") {
  return frame(kClose, std::string{static_cast<char>(code >> 8), static_cast<char>(code)} + reason);
}

/// What a server sent: `text:x`, `ping:`, `close:1002`, with commas between them.
std::string read_frames(const std::string& bytes) {
  std::string found;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes.at(i)); };
    const unsigned opcode = byte(at) & 15U;
    REQUIRE((byte(at) & 0xF0U) == 0x80U);   // whole, nothing reserved
    REQUIRE((byte(at + 1) & 0x80U) == 0U);  // not masked
    std::size_t size = byte(at + 1);
    at += 2;
    if (size == 126) {
      size = static_cast<std::size_t>(byte(at)) << 8 | byte(at + 1);
      at += 2;
    } else if (size == 127) {
      size = 0;
      for (int i = 0; i < 8; ++i) size = size << 8 | byte(at++);
    }
    const std::string payload = bytes.substr(at, size);
    REQUIRE(payload.size() == size);
    at += size;
    if (!found.empty()) found += ", ";
    if (opcode == kText) found += "text:" + payload;
    if (opcode == kPing) found += "ping:" + payload;
    if (opcode == kPong) found += "pong:" + payload;
    if (opcode == kClose) {
      found += "close:";
      if (!payload.empty()) {
        found += std::to_string((static_cast<unsigned char>(payload.at(0)) << 8) |
                                static_cast<unsigned char>(payload.at(1)));
      }
    }
  }
  return found;
}

constexpr std::size_t kMessageMax = 200;

struct SocketEnd {
  Script script;
  net::WebSocket socket{std::make_unique<Scripted>(script), kMessageMax};
  bool ended = false;

  /// What it answers to these bytes, which come in pieces of this size.
  std::string exchange(const std::string& bytes, std::size_t piece = ~std::size_t{0},
                       Occasion occasion = Occasion::Woken) {
    std::string out;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = std::min(piece, bytes.size() - at);
      const auto taken = socket.take(std::string_view(bytes).substr(at, size));
      REQUIRE(taken);
      REQUIRE(*taken == size);
      at += size;
      ask(out, occasion);
    }
    if (bytes.empty()) ask(out, occasion);
    return read_frames(out);
  }
  void ask(std::string& out, Occasion occasion) {
    if (ended) return;
    const auto step = socket.next(occasion, out);
    REQUIRE(step);
    ended = *step == Step::End;
  }
};

}  // namespace

TEST_CASE("WebSocket.TheKeyOfTheSpecificationGetsItsAnswer") {
  CHECK(net::web_socket_accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("WebSocket.MessagesArriveWholeHoweverTheyAreCut") {
  const std::string bytes = frame(kText, "one") + frame(kText, "t", false) + frame(kPing, "p") +
                            frame(kContinuation, "w", false) + frame(kContinuation, "o") + frame(kText, "") +
                            frame(kPong, "unasked") + frame(kText, std::string(kMessageMax, 'x'));
  for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}, bytes.size()}) {
    CAPTURE(piece);
    SocketEnd end;
    CHECK(end.exchange(bytes, piece) == "pong:p");
    CHECK(end.script.heard == std::vector<std::string>{"one", "two", "", std::string(kMessageMax, 'x')});
    CHECK_FALSE(end.ended);
  }
}

TEST_CASE("WebSocket.SaysWhatTheConversationSaysInOrder") {
  SocketEnd end;
  end.script.to_say = {"a", std::string(70'000, 'b'), std::string(300, 'c')};
  CHECK(end.exchange("") == "text:a, text:" + std::string(70'000, 'b') + ", text:" + std::string(300, 'c'));
  CHECK(end.exchange("", 1, Occasion::Quiet) == "ping:");
  CHECK(end.socket.quiet_max() == std::chrono::seconds(10));
  CHECK(end.socket.may_block());
}

TEST_CASE("WebSocket.WhatClientsMustNotSendEndsIt") {
  const std::string huge = std::string("\x81\xFF", 2) + std::string(8, '\x7F') + "\x11\x22\x33\x44x";
  const std::string negative = std::string("\x81\xFF", 2) + std::string(8, '\xFF') + "\x11\x22\x33\x44";
  const std::vector<std::pair<std::string, std::string>> bad = {
      {frame(kText, "x", true, false), "close:1002"},                           // not masked
      {frame(kText, "x", true, true, 4), "close:1002"},                         // compressed, which was not agreed on
      {frame(kText, "x", true, true, 1), "close:1002"},                         // a reserved bit
      {frame(3, "x"), "close:1002"},                                            // an opcode that there is not
      {frame(11, "x"), "close:1002"},                                           // the same of control frames
      {frame(kContinuation, "x"), "close:1002"},                                // of nothing
      {frame(kText, "x", false) + frame(kText, "y"), "close:1002"},             // inside another
      {frame(kPing, "x", false), "close:1002"},                                 // control frames are whole
      {frame(kPing, std::string(126, 'x')), "close:1002"},                      // and short
      {frame(kClose, "x"), "close:"},                                           // half a code
      {close_frame(999), "close:1002"},                                         // a code that there is not
      {close_frame(1005), "close:1002"},                                        // one that is never sent
      {frame(kBinary, "x"), "close:1003"},                                      //
      {frame(kText, "\xFF"), "close:1007"},                                     // no text
      {frame(kText, "\xC3", false) + frame(kContinuation, "x"), "close:1007"},  //
      {frame(kText, std::string(kMessageMax + 1, 'x')), "close:1009"},          //
      {frame(kText, std::string(150, 'x'), false) + frame(kContinuation, std::string(150, 'x')), "close:1009"},
      {huge, "close:1009"},
      {negative, "close:1002"},
  };
  for (const auto& [bytes, answer] : bad) {
    for (const std::size_t piece : {std::size_t{1}, bytes.size()}) {
      CAPTURE(answer);
      CAPTURE(piece);
      CAPTURE(static_cast<int>(bytes[0]));
      SocketEnd end;
      CHECK(end.exchange(bytes, piece) == answer);
      CHECK(end.exchange(frame(kText, "later")).empty());
      CHECK(end.script.heard.empty());
      CHECK_FALSE(end.socket.may_block());
      end.exchange("", 1, Occasion::Quiet);
      CHECK(end.ended);
    }
  }
}

TEST_CASE("WebSocket.AClientThatClosesIsAnswered") {
  for (const std::string& bytes : {close_frame(1000, "bye"), close_frame(1001), close_frame(4999)}) {
    SocketEnd end;
    end.script.to_say = {"too late"};
    const std::string answer = end.exchange(bytes);
    CHECK(answer.starts_with("close:"));
    CHECK(end.ended);
    CHECK(end.script.asked == 0);
  }
  SocketEnd without_code;
  std::string out;
  REQUIRE(without_code.socket.take(frame(kClose, "")));
  without_code.ask(out, Occasion::Woken);
  CHECK(out == std::string("\x88\x00", 2));
  CHECK(without_code.ended);
}

TEST_CASE("WebSocket.WhatIsSaidBeforeTheEndArrivesBeforeIt") {
  SocketEnd end;
  end.script.to_say = {"last words"};
  end.script.to_close = api::MessageClose{1013, "slow"};
  CHECK(end.exchange("") == "text:last words, close:1013");
  CHECK_FALSE(end.ended);  // the client's close frame is waited for
  CHECK(end.socket.quiet_max() < std::chrono::seconds(5));
  SUBCASE("AndItAnswers") {
    CHECK(end.exchange(frame(kText, "x") + close_frame(1013)).empty());
    CHECK(end.ended);
    CHECK(end.script.heard.empty());
  }
  SUBCASE("AndItNeverAnswers") {
    CHECK(end.exchange("", 1, Occasion::Quiet).empty());
    CHECK(end.ended);
  }
  SUBCASE("AndItLeaves") {
    CHECK(end.exchange("", 1, Occasion::ClientEnded).empty());
    CHECK(end.ended);
  }
}

TEST_CASE("WebSocket.AnAnswerToAMessageMayBeTheEnd") {
  SocketEnd end;
  CHECK(end.exchange(frame(kText, "bye") + frame(kText, "more")) == "close:1000");
  CHECK(end.script.heard == std::vector<std::string>{"bye"});
  CHECK(end.script.asked == 0);
}

TEST_CASE("WebSocket.TheServersEndIsToldAtOnce") {
  SocketEnd end;
  end.script.to_say = {"checkpoint"};
  CHECK(end.exchange("", 1, Occasion::ShuttingDown) == "text:checkpoint, close:1001");
  CHECK(end.ended);
}

TEST_CASE("WebSocket.GarbageIsAnsweredWithFramesOrNothing") {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    CAPTURE(round);
    SocketEnd end;
    std::string bytes(random() % 300, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    // Half of it begins well.
    if (round % 2 == 0) bytes.insert(0, frame(random() % 16, "hello", random() % 4 != 0));
    (void)end.exchange(bytes, 1 + random() % 50);
    std::size_t heard = 0;
    for (const std::string& text : end.script.heard) heard += text.size();
    CHECK(heard <= bytes.size());
  }
}

}  // namespace stele::tests
