#include "net/live/web_socket.h"

#include <openssl/evp.h>
#include <wslay/wslay.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <new>
#include <optional>
#include <utility>

#include "api/http/field_list.h"
#include "engine/base/base64.h"
#include "engine/base/check.h"

namespace stele::net {

namespace {

using api::MessageClose;
using api::MessageConversation;

/// How long the client's close frame is waited for once ours was sent.
constexpr std::chrono::milliseconds kCloseWait{2'000};

/// A close frame with 1002. What the library makes of some faults has no code.
constexpr std::string_view kProtocolErrorFrame("\x88\x02\x03\xEA", 4);

const std::uint8_t* bytes_of(std::string_view text) { return reinterpret_cast<const std::uint8_t*>(text.data()); }

/// Whether a list of tokens has one; they are told apart by case, as RFC 6455 has it.
bool has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    if (api::trimmed(api::take_part(list, ',')) == token) return true;
  }
  return false;
}

/// 16 bytes in base64.
bool is_key(std::string_view key) {
  const auto is_digit = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  return key.size() == 24 && key.ends_with("==") && std::all_of(key.begin(), key.end() - 2, is_digit);
}

}  // namespace

/// What libwslay's callbacks are told.
struct WebSocket::Framing final : MessageConversation::Sink {
  Framing(std::unique_ptr<MessageConversation> of, std::size_t message_bytes_max) : conversation(std::move(of)) {
    wslay_event_callbacks callbacks{};
    callbacks.recv_callback = &receive;
    callbacks.send_callback = &send;
    callbacks.on_msg_recv_callback = &on_message;
    if (wslay_event_context_server_init(&context, &callbacks, this) != 0) throw std::bad_alloc();
    wslay_event_config_set_max_recv_msg_length(context, message_bytes_max);
  }
  ~Framing() override { wslay_event_context_free(context); }
  Framing(const Framing&) = delete;

  // Sink.
  void message(std::string_view text) override { queue(WSLAY_TEXT_FRAME, text); }
  [[nodiscard]] std::size_t bytes() const override { return queued_bytes; }
  void close(MessageClose how) override {
    if (!closing) closing = how;
  }

  void ping() { queue(WSLAY_PING, {}); }
  /// Appends what waits to be sent.
  [[nodiscard]] Status write(std::string& to) {
    if (broken) {
      to.append(std::exchange(broken_said_, true) ? std::string_view() : kProtocolErrorFrame);
      return {};
    }
    out = &to;
    int outcome = wslay_event_send(context);
    // It would send a close frame before the messages that wait, and those not at all.
    if (outcome == 0 && closing && !std::exchange(close_queued_, true)) {
      fail_unless(wslay_event_queue_close(context, closing->code, bytes_of(closing->reason), closing->reason.size()));
      outcome = wslay_event_send(context);
    }
    out = nullptr;
    if (outcome != 0) return Error{ErrorKind::Io, "a WebSocket frame could not be made"};
    return {};
  }
  /// Also when the library ends it for a fault of the client: it reads nothing any more then.
  [[nodiscard]] bool is_closing() const {
    return closing || broken || wslay_event_get_close_received(context) != 0 ||
           wslay_event_get_read_enabled(context) == 0;
  }
  /// Both sides have said so, or nothing of the client is read any more.
  [[nodiscard]] bool is_over() const {
    if (broken) return broken_said_;
    return wslay_event_get_close_sent(context) != 0 &&
           (wslay_event_get_close_received(context) != 0 || wslay_event_get_read_enabled(context) == 0);
  }

  const std::unique_ptr<MessageConversation> conversation;
  wslay_event_context_ptr context = nullptr;
  std::string_view in;         ///< bytes of the client that are not read yet
  std::string* out = nullptr;  ///< where frames go
  std::size_t queued_bytes = 0;
  std::optional<MessageClose> closing;  ///< how we end it

  bool out_of_memory = false;  ///< in a callback
  bool broken = false;         ///< the client's bytes are no frames

 private:
  bool close_queued_ = false;
  bool broken_said_ = false;

  void queue(std::uint8_t opcode, std::string_view text) {
    if (closing) return;
    const wslay_event_msg message{opcode, bytes_of(text), text.size()};
    fail_unless(wslay_event_queue_msg(context, &message));
    queued_bytes += text.size();
  }
  /// It refuses messages behind a close frame, which the client may have caused meanwhile.
  static void fail_unless(int outcome) {
    if (outcome == WSLAY_ERR_NOMEM) throw std::bad_alloc();
    STELE_CHECK(outcome == 0 || outcome == WSLAY_ERR_NO_MORE_MSG);
  }

  // No exception may pass through the library.
  static ssize_t receive(wslay_event_context_ptr context, std::uint8_t* buffer, std::size_t size, int /*flags*/,
                         void* user) {
    auto& self = *static_cast<Framing*>(user);
    if (self.in.empty()) {
      wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
      return -1;
    }
    const std::size_t count = std::min(size, self.in.size());
    std::memcpy(buffer, self.in.data(), count);
    self.in.remove_prefix(count);
    return static_cast<ssize_t>(count);
  }
  static ssize_t send(wslay_event_context_ptr context, const std::uint8_t* data, std::size_t size, int /*flags*/,
                      void* user) {
    try {
      static_cast<Framing*>(user)->out->append(reinterpret_cast<const char*>(data), size);
      return static_cast<ssize_t>(size);
    } catch (const std::bad_alloc&) {
      wslay_event_set_error(context, WSLAY_ERR_CALLBACK_FAILURE);
      return -1;
    }
  }
  static void on_message(wslay_event_context_ptr /*context*/, const wslay_event_on_msg_recv_arg* message, void* user) {
    auto& self = *static_cast<Framing*>(user);
    if (wslay_is_ctrl_frame(message->opcode) || self.is_closing()) return;
    try {
      if (message->opcode != WSLAY_TEXT_FRAME) return self.close({1003, "only text is understood"});
      self.conversation->take({reinterpret_cast<const char*>(message->msg), message->msg_length}, self);
    } catch (const std::bad_alloc&) {
      self.out_of_memory = true;
    }
  }
};

WebSocket::WebSocket(std::unique_ptr<MessageConversation> conversation, std::size_t message_bytes_max)
    : framing_(std::make_unique<Framing>(std::move(conversation), message_bytes_max)) {}

WebSocket::~WebSocket() = default;

void WebSocket::begin(std::shared_ptr<api::Waker> waker) { framing_->conversation->begin(std::move(waker)); }

bool WebSocket::may_block() const { return !framing_->is_closing() && framing_->conversation->may_block(); }

std::chrono::milliseconds WebSocket::quiet_max() const {
  return framing_->is_closing() ? kCloseWait : framing_->conversation->quiet_max();
}

Result<std::size_t> WebSocket::take(std::string_view bytes) {
  framing_->in = bytes;
  // What follows a close frame is read and dropped.
  if (!framing_->broken && wslay_event_get_read_enabled(framing_->context) != 0) {
    const int outcome = wslay_event_recv(framing_->context);
    if (framing_->out_of_memory || outcome == WSLAY_ERR_NOMEM) throw std::bad_alloc();
    framing_->broken = outcome != 0;
  }
  framing_->in = {};
  return bytes.size();
}

Result<api::PushedBody::Step> WebSocket::next(Occasion occasion, std::string& to) {
  Framing& framing = *framing_;
  framing.queued_bytes = 0;
  if (occasion == Occasion::ClientEnded) return Step::End;
  MessageConversation::Step step = MessageConversation::Step::Wait;
  if (!framing.is_closing()) {
    STELE_ASSIGN(step, framing.conversation->next(occasion, framing));
    if (occasion == Occasion::ShuttingDown) framing.close({1001, "the server ends"});
    if (occasion == Occasion::Quiet && framing.queued_bytes == 0 && !framing.closing) framing.ping();
  } else if (occasion == Occasion::Quiet) {
    return Step::End;  // it never answers
  }
  STELE_TRY(framing.write(to));
  if (framing.is_over() || occasion == Occasion::ShuttingDown) return Step::End;
  return step == MessageConversation::Step::More && !framing.is_closing() ? Step::More : Step::Wait;
}

std::string web_socket_accept(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  STELE_CHECK(EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr) == 1);
  return base64_encode({reinterpret_cast<const char*>(digest.data()), size});
}

bool WebSocketFraming::is_wanted(const api::Request& request) const { return request.may_upgrade_to("websocket"); }

std::optional<api::Problem> WebSocketFraming::objection(const api::Request& request, std::string_view protocol) const {
  const auto refuse = [](const std::string& field, const std::string& detail) {
    return api::Problem("invalid-header", field + ": " + detail)
        .error({"header", field, detail, {}})
        .header("Sec-WebSocket-Version", "13");
  };
  if (api::trimmed(request.header("Sec-WebSocket-Version")) != "13") {
    return refuse("Sec-WebSocket-Version", "Only version 13 is spoken.");
  }
  if (!is_key(api::trimmed(request.header("Sec-WebSocket-Key")))) {
    return refuse("Sec-WebSocket-Key", "Must be 16 bytes in base64.");
  }
  if (!has_token(request.header("Sec-WebSocket-Protocol"), protocol)) {
    return refuse("Sec-WebSocket-Protocol", "Must offer " + std::string(protocol) + ".");
  }
  return std::nullopt;
}

api::Response WebSocketFraming::answer(const api::Request& request, std::string_view protocol,
                                       std::unique_ptr<api::MessageConversation> conversation, std::size_t bytes_max) {
  api::Response response;
  response.headers.emplace_back("Sec-WebSocket-Accept",
                                web_socket_accept(api::trimmed(request.header("Sec-WebSocket-Key"))));
  response.headers.emplace_back("Sec-WebSocket-Protocol", std::string(protocol));
  response.upgraded = std::make_unique<WebSocket>(std::move(conversation), bytes_max);
  return response;
}

}  // namespace stele::net
