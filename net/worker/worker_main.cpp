#include "net/worker/worker_main.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <new>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/base/bytes.h"
#include "net/worker/sandbox.h"
#include "net/worker/script_engine.h"
#include "net/worker/worker_protocol.h"

namespace stele::net {

namespace {

[[noreturn]] void leave(WorkerExit why) { ::_exit(static_cast<int>(why)); }

/// The worker's end of the line. Whatever is wrong with it ends the process.
class Line {
 public:
  explicit Line(int socket) : socket_(socket) {}

  struct Frame {
    FrameHeader header;
    std::string_view payload;  ///< until the next call
  };
  Frame receive() {
    const auto header = decode_frame_header(take(kFrameHeaderBytes));
    if (!header || header->type >= FrameType::Ready || header->payload_bytes > kFramePayloadBytesMax) {
      leave(WorkerExit::Protocol);
    }
    return {*header, take(header->payload_bytes)};
  }

  /// From any thread. What cannot be sent at once is not sent.
  void send_last_words(const std::string& frame) const {
    (void)::send(socket_, frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  void send(const std::string& frames) {
    for (std::size_t sent = 0; sent < frames.size();) {
      const ssize_t count = ::send(socket_, frames.data() + sent, frames.size() - sent, MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) leave(WorkerExit::Done);
      sent += static_cast<std::size_t>(count);
    }
  }

 private:
  std::string_view take(std::size_t bytes) {
    if (end_ - begin_ < bytes) fill(bytes);
    const std::string_view taken(buffer_.data() + begin_, bytes);
    begin_ += bytes;
    return taken;
  }

  void fill(std::size_t bytes) {
    constexpr std::size_t kReadBytes = 256U << 10;
    buffer_.erase(0, begin_);
    end_ -= begin_;
    begin_ = 0;
    if (buffer_.size() < bytes || buffer_.size() < kReadBytes) buffer_.resize(std::max(bytes, kReadBytes));
    while (end_ < bytes) {
      const ssize_t got = ::recv(socket_, buffer_.data() + end_, buffer_.size() - end_, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) leave(WorkerExit::Done);
      end_ += static_cast<std::size_t>(got);
    }
  }

  const int socket_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

/// Answers what belongs to one fold after another. After a failure, what still comes for that fold is passed over.
class Folder {
 public:
  Folder(Line& line, ScriptEngine& engine, std::atomic<std::uint32_t>& fold)
      : line_(line), engine_(engine), fold_(fold) {}

  void serve(const Line::Frame& frame) {
    fold_ = frame.header.fold;
    switch (frame.header.type) {
      case FrameType::Start: {
        const auto start = decode_start(frame.payload);
        if (!start) leave(WorkerExit::Protocol);
        active_ = true;
        if (const auto failure = engine_.begin(*start)) return fail(*failure);
        append_empty(reply_, FrameType::Started, fold_);
        break;
      }
      case FrameType::Events:
        if (active_) apply(frame.payload);
        break;
      case FrameType::Finish: {
        if (!active_) break;
        const auto state = engine_.state();
        if (const auto* failure = std::get_if<api::FoldFailure>(&state)) return fail(*failure);
        append_text(reply_, FrameType::State, fold_, *std::get_if<std::string>(&state));
        break;
      }
      case FrameType::Upcaster: {
        const auto upcaster = decode_upcaster(frame.payload);
        if (!upcaster) leave(WorkerExit::Protocol);
        if (const auto failure = engine_.add_upcaster(*upcaster)) {
          append_failure(reply_, fold_, *failure, FrameType::UpcastFailed);
        } else {
          append_empty(reply_, FrameType::Evaluated, fold_);
        }
        break;
      }
      case FrameType::Upcast:
        upcast(frame.payload);
        break;
      case FrameType::End:
        active_ = false;
        engine_.end();
        break;
      default:
        leave(WorkerExit::Protocol);
    }
    flush();
  }

 private:
  void apply(std::string_view payload) {
    events_.clear();
    while (!payload.empty()) {
      const auto event = take_event(payload);
      if (!event) leave(WorkerExit::Protocol);
      events_.push_back(*event);
    }
    const WorkerCounts before = engine_.counts();
    if (const auto failure = engine_.apply(events_)) return fail(*failure);
    const WorkerCounts& after = engine_.counts();
    append_done(reply_, fold_,
                {after.applied - before.applied, after.ignored - before.ignored, after.redacted - before.redacted});
  }

  void upcast(std::string_view payload) {
    if (payload.size() < sizeof(std::uint32_t)) leave(WorkerExit::Protocol);
    const auto number = get_at<std::uint32_t>(payload.data());
    payload.remove_prefix(sizeof(std::uint32_t));
    if (!engine_.has_upcaster(number)) leave(WorkerExit::Protocol);
    while (!payload.empty()) {
      const auto event = take_event(payload);
      if (!event) leave(WorkerExit::Protocol);
      // However this process ends: the event at fault is the one behind those that are answered.
      flush();
      const auto result = engine_.upcast(number, *event);
      if (const auto* const failure = std::get_if<api::FoldFailure>(&result)) {
        append_failure(reply_, fold_, *failure, FrameType::UpcastFailed);
        if (failure->kind == api::FoldFailure::Kind::Limit) return;  // nothing more is wanted of this process
      } else {
        append_text(reply_, FrameType::Upcasted, fold_, std::get<std::string>(result));
      }
    }
  }

  void fail(const api::FoldFailure& failure) {
    active_ = false;
    append_failure(reply_, fold_, failure);
    flush();
  }

  void flush() {
    if (!reply_.empty()) line_.send(reply_);
    reply_.clear();
  }

  Line& line_;
  ScriptEngine& engine_;
  std::atomic<std::uint32_t>& fold_;  ///< also read by the thread that says the last words
  bool active_ = false;
  std::vector<WorkerEvent> events_;
  std::string reply_;
};

[[noreturn]] void give_up(Line& line, std::string_view why) {
  std::string frame;
  append_text(frame, FrameType::Unavailable, 0, clean_text(why, kMessageBytesMax));
  line.send(frame);
  leave(WorkerExit::Start);
}

}  // namespace

int run_worker(int socket) {
  leave_server();
  std::set_new_handler([] { leave(WorkerExit::Memory); });
  // A script's dates are the same wherever it runs. Locales were never set, so that all is "C".
  ::setenv("TZ", "UTC0", 1);
  ::tzset();

  Line line(socket);
  const Line::Frame first = line.receive();
  const auto setup = first.header.type == FrameType::Setup ? decode_setup(first.payload) : std::nullopt;
  if (!setup) leave(WorkerExit::Protocol);

  std::atomic<std::uint32_t> fold{0};
  const auto engine =
      ScriptEngine::create(setup->memory_bytes_max, [&line, &fold](const api::FoldFailure& failure, bool upcasting) {
        std::string frame;
        append_failure(frame, fold, failure, upcasting ? FrameType::UpcastFailed : FrameType::Failed);
        line.send_last_words(frame);
      });
  if (engine == nullptr) give_up(line, "the JavaScript engine does not start");
  if (const std::string why = confine({setup->memory_bytes_max, setup->trusted}); !why.empty()) give_up(line, why);

  std::string ready;
  append_text(ready, FrameType::Ready, 0, ScriptEngine::id());
  line.send(ready);
  Folder folder(line, *engine, fold);
  for (;;) folder.serve(line.receive());
}

}  // namespace stele::net
