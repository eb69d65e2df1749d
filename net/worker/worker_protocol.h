#pragma once
// What a server and its `stele worker` say to each other over their socket pair. Pure functions over bytes, used by
// both ends; no I/O. The two ends are the same binary, so there are no versions; but a worker runs the code of
// strangers and may be in their hands, so that whatever it says is checked (ReplyReader), and believed only for its own
// fold.
//
// A frame: u32 length of the payload · u32 number of the fold (0 = none) · u8 type · 3 zero bytes · payload. All
// little-endian.
//
//   server                                 worker
//   Setup                               -> Ready | Unavailable
//   Start                               -> Started | Failed
//   Events, any number, not waited for  -> Done each, in order | Failed, and nothing more
//   Finish                              -> State | Failed
//   Upcaster, in a fold or without one  -> Evaluated | UpcastFailed; known by its number, from 0, until the fold ends
//   Upcast, with events                 -> Upcasted | UpcastFailed for each, in order
//   End: the fold is over; no answer. The next Start ends one as well.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/records/event_aliases.h"
#include "api/replay/fold.h"
#include "engine/log/record.h"

namespace stele::net {

inline constexpr std::size_t kFrameHeaderBytes = 12;
/// Of anything the server sends: a source or a state of that size at most, or one event.
inline constexpr std::size_t kFramePayloadBytesMax = 64U << 20;

enum class FrameType : std::uint8_t {
  Setup = 1,
  Start = 2,
  Events = 3,
  Finish = 4,
  End = 5,
  Upcaster = 6,
  Upcast = 7,
  Ready = 16,
  Unavailable = 17,
  Started = 18,
  Done = 19,
  State = 20,
  Failed = 21,
  Evaluated = 22,
  Upcasted = 23,
  UpcastFailed = 24,
};

struct FrameHeader {
  std::uint32_t payload_bytes = 0;
  std::uint32_t fold = 0;
  FrameType type = FrameType::End;
};

/// How a worker ends by itself: its exit code names the reason, because a script that does not stop leaves no other way
/// to say it.
enum class WorkerExit : int {
  Done = 0,       ///< the server is gone
  Protocol = 70,  ///< what came was no frame
  CallTime = 71,  ///< a call did not stop
  HostTime = 72,  ///< reading or writing a state did not end
  Memory = 73,
  Start = 74,  ///< it could not be made ready, and said why if it could
};

/// The failure that the end of a worker process means (`wait_status` as of waitpid()). The signals that a process
/// brings on itself are memory: a stack or heap that is full ends it that way.
[[nodiscard]] api::FoldFailure failure_of_exit(int wait_status);
[[nodiscard]] api::FoldFailure failure_of(WorkerExit exit);

// Frames: begin_frame() … payload … end_frame() with what begin_frame() gave.
[[nodiscard]] std::size_t begin_frame(std::string& to, FrameType type, std::uint32_t fold);
void end_frame(std::string& to, std::size_t begun);
/// Of exactly kFrameHeaderBytes. None if it is no header.
[[nodiscard]] std::optional<FrameHeader> decode_frame_header(std::string_view bytes);

struct WorkerSetup {
  std::uint64_t memory_bytes_max = 0;  ///< beyond what the process needs before a script runs
  bool trusted = false;                ///< go on where system calls cannot be restricted
};
void append_setup(std::string& to, const WorkerSetup& setup);
[[nodiscard]] std::optional<WorkerSetup> decode_setup(std::string_view payload);

/// Borrowed.
struct WorkerStart {
  std::uint32_t call_time_ms = 0;
  std::uint64_t state_bytes_max = 0;
  std::optional<std::string_view> state;
  std::string_view source;
};
void append_start(std::string& to, std::uint32_t fold, const WorkerStart& start);
[[nodiscard]] std::optional<WorkerStart> decode_start(std::string_view payload);

/// Borrowed.
struct WorkerUpcaster {
  std::uint32_t call_time_ms = 0;
  std::uint64_t result_bytes_max = 0;
  std::string_view source;
};
void append_upcaster(std::string& to, std::uint32_t fold, const WorkerUpcaster& upcaster);
[[nodiscard]] std::optional<WorkerUpcaster> decode_upcaster(std::string_view payload);

/// A frame of type Upcast begins with the number of the upcaster (u32), and goes on with events.
/// Events go one behind the other into a frame of type Events.
/// An event as a script is told of it. Borrowed.
struct WorkerEvent {
  std::string_view type;
  std::string_view envelope;             ///< a JSON object: all members but `data`
  std::optional<std::string_view> data;  ///< JSON; none = it has none, or had
  bool redacted = false;                 ///< it had, and it was removed
};
/// `aliases`, or null: for its type.
void append_event(std::string& to, const Record& event, const api::Upcast* upcast = nullptr,
                  const api::AliasTable* aliases = nullptr);
void append_event(std::string& to, const WorkerEvent& event);
/// With data in the place of its own.
void append_event(std::string& to, const Record& event, std::string_view data);
/// Takes the first event of what is left of a payload, which must not be empty. None if that is no event.
[[nodiscard]] std::optional<WorkerEvent> take_event(std::string_view& rest);

void append_empty(std::string& to, FrameType type, std::uint32_t fold);
void append_text(std::string& to, FrameType type, std::uint32_t fold, std::string_view text);

/// What one frame of events came to.
struct WorkerCounts {
  std::uint64_t applied = 0;
  std::uint64_t ignored = 0;
  std::uint64_t redacted = 0;
};
void append_done(std::string& to, std::uint32_t fold, const WorkerCounts& counts);
/// `type`: Failed or UpcastFailed.
void append_failure(std::string& to, std::uint32_t fold, const api::FoldFailure& failure,
                    FrameType type = FrameType::Failed);

/// What a worker said. `text` of Ready is its engine, of Unavailable the reason, of State the state, of Upcasted the
/// data.
struct WorkerReply {
  FrameType type = FrameType::Ready;
  std::uint32_t fold = 0;
  std::string text;
  WorkerCounts counts;
  api::FoldFailure failure;
};

/// Cuts what a worker sends into replies, and refuses what is none: too long, of a type that it must not send, texts
/// that are not UTF-8, states that are not JSON. Not thread-safe.
class ReplyReader {
 public:
  /// No state and no upcast data may be longer; until it is set, none may come.
  void set_state_bytes_max(std::size_t bytes) { state_bytes_max_ = bytes; }
  /// Room for the next bytes from the socket, of at least `bytes`; then say how many came.
  [[nodiscard]] char* prepare(std::size_t bytes);
  void filled(std::size_t bytes) { end_ += bytes; }

  struct More {};       ///< the next reply is not complete
  struct Malformed {};  ///< and all that follows is
  [[nodiscard]] std::variant<WorkerReply, More, Malformed> next();

 private:
  [[nodiscard]] std::size_t payload_bytes_max(FrameType type) const;
  [[nodiscard]] std::optional<WorkerReply> decode(const FrameHeader& header, std::string_view payload) const;

  std::string buffer_;
  std::size_t begin_ = 0;  ///< what is left lies in [begin_, end_) of the buffer
  std::size_t end_ = 0;
  std::size_t state_bytes_max_ = 0;
  bool malformed_ = false;
};

/// `text` cut to at most `bytes`, between two characters. What is no UTF-8 becomes question marks.
[[nodiscard]] std::string clean_text(std::string_view text, std::size_t bytes);

/// Whether `text` is one JSON value (RFC 8259) in UTF-8 and not deeper than a script's state may be. Numbers may have
/// any length.
[[nodiscard]] bool is_state_json(std::string_view text);

inline constexpr std::size_t kStateDepthMax = 512;
inline constexpr std::size_t kMessageBytesMax = 1024;
inline constexpr std::size_t kPointerBytesMax = 4096;

}  // namespace stele::net
