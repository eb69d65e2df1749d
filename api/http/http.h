#pragma once
// The seam between api (what an endpoint means) and net (sockets): a request that has been read and bounded, a response
// to be written. Nothing here knows a socket.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/http/pushed_body.h"
#include "engine/base/ids.h"
#include "engine/base/result.h"

namespace stele::api {

enum class Method { Get, Head, Post, Put, Patch, Delete, Options, Other };

/// A whole request, body included. Everything is borrowed from the session, which keeps it alive until Reply is called;
/// the request itself, not what it lends, until the source of its answer (of whatever kind) is destroyed.
class Request {
 public:
  virtual ~Request() = default;
  [[nodiscard]] virtual Method method() const = 0;
  /// As sent: path, and what follows the first '?' (without it), still percent-encoded.
  [[nodiscard]] virtual std::string_view path() const = 0;
  [[nodiscard]] virtual std::string_view query() const = 0;
  /// Value of a header field, name in any case; empty if absent. Repeated fields are joined with ", ".
  [[nodiscard]] virtual std::string_view header(std::string_view name) const = 0;
  /// Whether there is such a field, however empty.
  [[nodiscard]] virtual bool has_header(std::string_view name) const = 0;
  /// Host and port that the request is addressed to: what its target names, else the field Host.
  [[nodiscard]] virtual std::string_view authority() const { return header("Host"); }
  /// Followed by at least 64 readable bytes (SIMDJSON_PADDING), so that it can be parsed in place.
  [[nodiscard]] virtual std::string_view body() const = 0;
  /// How long the body is, or would have been if the handler had wanted it (Handler::wants_body).
  [[nodiscard]] virtual std::uint64_t announced_body_bytes() const { return body().size(); }
  [[nodiscard]] virtual std::string_view remote_address() const = 0;
  /// Whom the verified TLS certificate of the client names (`CN=ingest,O=Example`); empty without one.
  [[nodiscard]] virtual std::string_view client_certificate() const { return {}; }
  /// Whether work for this request should come to its end soon: its client has left, or sends nothing more (which looks
  /// the same), its time is over, or the server shuts down. An answer is still sent, in case there is somebody to take
  /// it. Any thread, from the work itself and from the source of its answer.
  [[nodiscard]] virtual bool abandoned() const { return false; }
  /// Whether no answer can be sent any more: work that has not begun is for nobody. Any thread.
  [[nodiscard]] virtual bool is_cut_off() const { return false; }
  /// Runs `work` on this request's own I/O thread, never inside the call unless the caller is that thread. Callable
  /// from any thread while the request lives; cheap, so that many requests answered by one commit group cost one
  /// wake-up. `work` must not block.
  virtual void resume(std::function<void()> work) const = 0;
  /// Whether it can be answered with an UpgradedStream of that protocol, given in lower case: it asks for it, has no
  /// body, and its version of HTTP knows upgrades. If not, it is a request like any other.
  [[nodiscard]] virtual bool may_upgrade_to(std::string_view protocol) const {
    static_cast<void>(protocol);
    return false;
  }
};

/// Produces a long body piece by piece, in constant memory. Called on the read pool, one call at a time.
class BodySource {
 public:
  virtual ~BodySource() = default;
  /// Appends the next piece (about 64 KiB, or less, or nothing, if it would take long to find that much) to `to`; false
  /// when nothing follows; Closed if the request was abandoned and it gave up. Holds nothing of the store between
  /// calls: the client may be slow. After an error the connection is cut, so that the client sees a broken body rather
  /// than a short one.
  [[nodiscard]] virtual Result<bool> next(std::string& to) = 0;
};

struct Principal;
struct ProblemKind;
struct Route;

/// The records that an answer shows.
struct ShownRecords {
  std::uint64_t count = 0;
  Position lowest{};  ///< of no meaning if there are none
  Position highest{};

  void add(Position position) {
    lowest = count == 0 || position < lowest ? position : lowest;
    highest = count == 0 || position > highest ? position : highest;
    ++count;
  }
  void add(const ShownRecords& other) {
    if (other.count == 0) return;
    lowest = count == 0 || other.lowest < lowest ? other.lowest : lowest;
    highest = count == 0 || other.highest > highest ? other.highest : highest;
    count += other.count;
  }
};

struct Response {
  int status = 200;
  std::string_view content_type = "application/json";             ///< static storage; empty = no body
  std::vector<std::pair<std::string_view, std::string>> headers;  ///< names in static storage
  std::string body;
  // At most one of these; `body` is ignored then.
  std::unique_ptr<BodySource> source;        ///< the body is pulled from it, chunked
  std::unique_ptr<PushedBody> pushed;        ///< the body comes when it comes, chunked and never compressed
  std::unique_ptr<UpgradedStream> upgraded;  ///< the answer is 101, and this what the connection becomes. Only if
                                             ///< Request::may_upgrade_to() its protocol; else the answer is 500
  // For metrics, logs and the audit trail:
  const Route* route = nullptr;                ///< the one the request went to; null = none was found
  const ProblemKind* problem = nullptr;        ///< what kind of refusal this is; null = none
  std::shared_ptr<const Principal> principal;  ///< who asked; null = nobody knows
  std::string internal_error;                  ///< of the server, for its log only; empty = none
  ShownRecords shown;                          ///< as far as they are known when it begins
};

/// Called exactly once, on any thread, to answer a request.
using Reply = std::function<void(Response)>;

/// What api needs from the outside besides sockets; implemented in net.
class Scheduler {
 public:
  virtual ~Scheduler() = default;
  /// Runs `work` on the read pool, where blocking on a cold disk is allowed. False if its bounded queue is full.
  [[nodiscard]] virtual bool run_on_read_pool(std::function<void()> work) = 0;
  /// How much work waits for the read pool now.
  [[nodiscard]] virtual std::size_t reads_waiting() const { return 0; }
  /// Runs `work` after `delay`, on any thread. It must be quick. Not run after shutdown.
  virtual void after(std::chrono::milliseconds delay, std::function<void()> work) = 0;
};

/// What a body may cost that is wanted.
struct BodyTerms {
  /// The principal whose share of the memory for all bodies it takes; empty = that of the client's address.
  std::string payer;
  /// 413 as soon as more has come of a body whose length was not announced; the server's own limit is not raised.
  std::size_t bytes_max = std::numeric_limits<std::size_t>::max();
};

/// Answers requests. Thread-safe.
class Handler {
 public:
  virtual ~Handler() = default;
  /// Asked before a body is read that needs memory of its own or waits for a `100 Continue`: whether what it holds can
  /// make a difference. If not, handle() is called with an empty body, and the connection ends with the answer.
  [[nodiscard]] virtual bool wants_body(const Request& request, BodyTerms& terms) {
    static_cast<void>(request);
    static_cast<void>(terms);
    return true;
  }
  /// Adds to an answer that net gives itself, instead of handle(), what all answers carry. Of a request that was
  /// refused in its header `request` has what could be read, perhaps nothing.
  virtual void complete(const Request& request, Response& response) const {
    static_cast<void>(request);
    static_cast<void>(response);
  }
  /// Told of each request that net has refused itself, because none came whole: any thread, and never waits. Nothing
  /// of what was sent is to be believed.
  virtual void note_refusal(int status) { static_cast<void>(status); }
  /// Told of what the operator has had read or opened again, `what` in a word, and how it is now, or why it goes on as
  /// it was. Any thread.
  virtual void note_reload(std::string_view what, bool is_done, std::string_view words) {
    static_cast<void>(what);
    static_cast<void>(is_done);
    static_cast<void>(words);
  }
  /// Must not block: slow work goes to the read pool. `request` lives until `reply` has been called. `reply` runs on
  /// any thread, or inside the call.
  virtual void handle(const Request& request, Reply reply) = 0;
  /// Ready to take traffic? Decides /readyz together with the details the handler adds. Called by net at shutdown step
  /// one.
  virtual void begin_shutdown() = 0;
};

/// An application/problem+json response (RFC 9457) for conditions that net finds before a handler runs (408, 413, 431
/// …). `slug` must be one of those documented in problem.h.
[[nodiscard]] Response problem_response(std::string_view slug, std::string detail);

}  // namespace stele::api
