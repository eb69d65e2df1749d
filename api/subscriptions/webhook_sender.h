#pragma once
// The seam between subscriptions (what is delivered, when, and what an answer means) and whatever sends it to a
// receiver. Implemented in net (net/webhook); nothing here knows a socket.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stele::api {

/// Texts in PEM, each of them optional.
struct WebhookTls {
  std::string ca{};                  ///< whom to believe instead of the system's authorities
  std::string client_certificate{};  ///< shown to a receiver that asks for one, with those between it and the root …
  std::string client_key{};          ///< … and its private key, without a passphrase
};

/// One POST. Content-Type and User-Agent are added unless `headers` has them; what frames the message is the sender's
/// own, see webhook_headers.h.
struct WebhookRequest {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
  /// For writing it and reading the whole answer; 1 ms to 60 s, what is beyond is taken as the bound. To connect, with
  /// looking up the name and TLS, has a limit of its own.
  std::chrono::milliseconds timeout{15'000};
  std::optional<WebhookTls> tls{};
  /// Whose it is. Of what takes long for each of many names, the requests of one owner have a share; null = of one that
  /// has no name.
  std::shared_ptr<const std::string> owner{};
};

struct WebhookAnswer {
  enum class Outcome {
    Answered,        ///< with `status`, whatever it is: redirects are not followed
    Unsendable,      ///< URL, headers or TLS texts that no attempt could be made with: it will fail again
    AddressRefused,  ///< the receiver is at no address that callbacks may go to
    NameFailed,      ///< its name has no address, or that cannot be found out
    ConnectFailed,
    TlsFailed,  ///< no TLS, or a certificate that is not believed, on either side
    TimedOut,   ///< in any phase
    BrokenOff,  ///< the connection ended before the answer did
    NotHttp,    ///< what came is no answer in HTTP/1.1
    HeadTooLarge,
    Busy,       ///< too much is under way: no attempt was made
    Cancelled,  ///< the sender has stopped; the receiver may have got it
  };
  Outcome outcome = Outcome::Cancelled;
  int status = 0;         ///< 200..599 or what else the receiver made up; 0 = no head of an answer came
  std::string body{};     ///< its first 64 KiB (or what the sender was told), any bytes
  bool body_cut = false;  ///< there was more, which nobody read
  /// What Retry-After asks for, from now on; at most 7 days.
  std::optional<std::chrono::milliseconds> retry_after{};
  std::chrono::milliseconds duration{0};  ///< from send() to the answer, with the time it had to wait for its turn
  /// Why it is not Answered, in words for whoever owns the subscription: nothing of the URL but host, port and address,
  /// nothing of headers, bodies and keys. Empty if it is Answered.
  std::string detail{};
};

/// A name for logs, metrics and the interface, such as "address-refused". Static storage.
[[nodiscard]] std::string_view name_of(WebhookAnswer::Outcome outcome);

/// Thread-safe.
class WebhookSender {
 public:
  using Done = std::function<void(WebhookAnswer)>;
  virtual ~WebhookSender() = default;

  /// Sends it as soon as there is a connection for it, and never before it returns. `done` is called exactly once, on a
  /// thread of the sender, which it must not block; after stop() on the caller's. A receiver can get a request twice:
  /// one sent on a kept connection that turns out closed before the first byte of an answer is sent once more.
  virtual void send(WebhookRequest request, Done done) = 0;

  /// Why no request to this URL could ever be sent: what it is made of, or an address in it that callbacks may not go
  /// to. Empty if one could; a name is looked up at the attempt only.
  [[nodiscard]] virtual std::string url_objection(std::string_view url) const = 0;
  /// Why these texts cannot be used; empty if they can.
  [[nodiscard]] virtual std::string tls_objection(const WebhookTls& tls) const = 0;

  /// Answers all that is under way with Cancelled, and returns when each `done` has returned. Not on a thread of the
  /// sender. The second call does nothing.
  virtual void stop() = 0;
};

}  // namespace stele::api
