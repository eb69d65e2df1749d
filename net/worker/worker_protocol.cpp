#include "net/worker/worker_protocol.h"

#include <simdjson.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "api/records/event_json.h"
#include "engine/base/bytes.h"
#include "engine/base/check.h"

namespace stele::net {

namespace {

constexpr std::size_t kLimitBytesMax = 32;
constexpr std::size_t kEngineBytesMax = 64;
constexpr std::size_t kEventHeaderBytes = 12;
constexpr std::uint8_t kHasData = 1;
constexpr std::uint8_t kRedacted = 2;

bool is_frame_type(std::uint8_t type) { return (type >= 1 && type <= 7) || (type >= 16 && type <= 24); }

void put_text(std::string& to, std::string_view text) {
  put<std::uint32_t>(to, static_cast<std::uint32_t>(text.size()));
  to += text;
}

std::string_view take_text(ByteReader& from) { return from.take_bytes(from.take<std::uint32_t>()); }

bool is_text(std::string_view text, std::size_t bytes_max) {
  return text.size() <= bytes_max && simdjson::validate_utf8(text.data(), text.size());
}

api::FoldFailure limit(std::string_view name, std::string message) {
  api::FoldFailure failure;
  failure.kind = api::FoldFailure::Kind::Limit;
  failure.limit = name;
  failure.message = std::move(message);
  return failure;
}

/// Kinds that a script can bring about. The others are for the server to say.
bool may_come_from_worker(std::uint8_t kind) {
  switch (static_cast<api::FoldFailure::Kind>(kind)) {
    case api::FoldFailure::Kind::Syntax:
    case api::FoldFailure::Kind::Threw:
    case api::FoldFailure::Kind::NoJson:
    case api::FoldFailure::Kind::Limit:
      return true;
    default:
      return false;
  }
}

/// Reads one JSON value, without recursion. Strings are known to be UTF-8.
class JsonChecker {
 public:
  explicit JsonChecker(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  bool check() {
    // Which of the open brackets are those of objects.
    std::string open;
    for (;;) {
      skip_space();
      if (at_ == end_) return false;
      bool ended = true;
      switch (*at_) {
        case '{':
        case '[':
          if (open.size() == kStateDepthMax) return false;
          open += *at_++;
          skip_space();
          if (at_ == end_) return false;
          if (*at_ == (open.back() == '{' ? '}' : ']')) {
            ++at_;
            open.pop_back();
          } else {
            if (open.back() == '{' && !key()) return false;
            ended = false;
          }
          break;
        case '"':
          if (!string()) return false;
          break;
        case 't':
          if (!word("true")) return false;
          break;
        case 'f':
          if (!word("false")) return false;
          break;
        case 'n':
          if (!word("null")) return false;
          break;
        default:
          if (!number()) return false;
      }
      while (ended) {
        skip_space();
        if (open.empty()) return at_ == end_;
        if (at_ == end_) return false;
        const char next = *at_++;
        if (next == ',') {
          skip_space();
          if (open.back() == '{' && !key()) return false;
          ended = false;
        } else if (next == (open.back() == '{' ? '}' : ']')) {
          open.pop_back();
        } else {
          return false;
        }
      }
    }
  }

 private:
  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r')) ++at_;
  }
  bool word(std::string_view text) {
    if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(text)) return false;
    at_ += text.size();
    return true;
  }
  bool digits() {
    const char* const begin = at_;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
    return at_ != begin;
  }
  bool number() {
    if (*at_ == '-') ++at_;
    if (at_ != end_ && *at_ == '0') {
      ++at_;
    } else if (!digits()) {
      return false;
    }
    if (at_ != end_ && *at_ == '.') {
      ++at_;
      if (!digits()) return false;
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (!digits()) return false;
    }
    return true;
  }
  bool string() {
    for (++at_; at_ != end_;) {
      const auto next = static_cast<unsigned char>(*at_++);
      if (next == '"') return true;
      if (next < 0x20) return false;
      if (next == '\\' && !escape()) return false;
    }
    return false;
  }
  bool escape() {
    if (at_ == end_) return false;
    const char kind = *at_++;
    if (kind != 'u') return std::strchr("\"\\/bfnrt", kind) != nullptr && kind != '\0';
    for (int i = 0; i < 4; ++i, ++at_) {
      if (at_ == end_ || std::strchr("0123456789abcdefABCDEF", *at_) == nullptr || *at_ == '\0') return false;
    }
    return true;
  }
  bool key() {
    if (at_ == end_ || *at_ != '"' || !string()) return false;
    skip_space();
    if (at_ == end_ || *at_ != ':') return false;
    ++at_;
    return true;
  }

  const char* at_;
  const char* end_;
};

template <class Envelope>
void append_event_with(std::string& to, std::string_view type, std::uint8_t flags,
                       const std::optional<std::string_view>& data, const Envelope& append_envelope) {
  STELE_CHECK(type.size() <= 0xFFFF);
  const std::size_t header = to.size();
  put<std::uint8_t>(to, flags);
  put<std::uint8_t>(to, 0);
  put<std::uint16_t>(to, static_cast<std::uint16_t>(type.size()));
  put<std::uint32_t>(to, 0);
  put<std::uint32_t>(to, data ? static_cast<std::uint32_t>(data->size()) : 0);
  to += type;
  const std::size_t envelope = to.size();
  append_envelope(to);
  put_at<std::uint32_t>(to.data() + header + 4, static_cast<std::uint32_t>(to.size() - envelope));
  if (data) to += *data;
}

}  // namespace

api::FoldFailure failure_of_exit(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    switch (WTERMSIG(wait_status)) {
      case SIGSYS:
        return limit("system-call", "the script's process made a system call that it may not make");
      case SIGXCPU:
        return limit("replay-time", "the script's process used more time than a replay may");
      case SIGSEGV:
      case SIGABRT:
      case SIGILL:
      case SIGBUS:
      case SIGTRAP:
      case SIGFPE:
        return failure_of(WorkerExit::Memory);
      default:
        break;
    }
  }
  return failure_of(WIFEXITED(wait_status) ? static_cast<WorkerExit>(WEXITSTATUS(wait_status)) : WorkerExit::Done);
}

api::FoldFailure failure_of(WorkerExit exit) {
  switch (exit) {
    case WorkerExit::CallTime:
      return limit("call-time", "a call took too long");
    case WorkerExit::HostTime:
      return limit("state-time", "the state could not be read or written in time");
    case WorkerExit::Memory:
      return limit("memory", "there is no more memory for the script");
    default:
      break;
  }
  api::FoldFailure failure;
  failure.kind = api::FoldFailure::Kind::Died;
  failure.message = "the process that runs scripts ended";
  return failure;
}

std::size_t begin_frame(std::string& to, FrameType type, std::uint32_t fold) {
  const std::size_t begun = to.size();
  put<std::uint32_t>(to, 0);
  put<std::uint32_t>(to, fold);
  put<std::uint32_t>(to, static_cast<std::uint32_t>(type));
  return begun;
}

void end_frame(std::string& to, std::size_t begun) {
  put_at<std::uint32_t>(to.data() + begun, static_cast<std::uint32_t>(to.size() - begun - kFrameHeaderBytes));
}

std::optional<FrameHeader> decode_frame_header(std::string_view bytes) {
  ByteReader from(bytes);
  const auto payload_bytes = from.take<std::uint32_t>();
  const auto fold = from.take<std::uint32_t>();
  const auto type = from.take<std::uint32_t>();
  if (!from.ok() || type > 0xFF || !is_frame_type(static_cast<std::uint8_t>(type))) return std::nullopt;
  return FrameHeader{payload_bytes, fold, static_cast<FrameType>(type)};
}

void append_setup(std::string& to, const WorkerSetup& setup) {
  const std::size_t begun = begin_frame(to, FrameType::Setup, 0);
  put<std::uint64_t>(to, setup.memory_bytes_max);
  put<std::uint8_t>(to, setup.trusted ? 1 : 0);
  end_frame(to, begun);
}

std::optional<WorkerSetup> decode_setup(std::string_view payload) {
  ByteReader from(payload);
  WorkerSetup setup;
  setup.memory_bytes_max = from.take<std::uint64_t>();
  setup.trusted = from.take<std::uint8_t>() != 0;
  if (!from.ok() || !from.at_end()) return std::nullopt;
  return setup;
}

void append_start(std::string& to, std::uint32_t fold, const WorkerStart& start) {
  const std::size_t begun = begin_frame(to, FrameType::Start, fold);
  put<std::uint32_t>(to, start.call_time_ms);
  put<std::uint64_t>(to, start.state_bytes_max);
  put<std::uint8_t>(to, start.state ? 1 : 0);
  put_text(to, start.state.value_or(std::string_view()));
  put_text(to, start.source);
  end_frame(to, begun);
}

std::optional<WorkerStart> decode_start(std::string_view payload) {
  ByteReader from(payload);
  WorkerStart start;
  start.call_time_ms = from.take<std::uint32_t>();
  start.state_bytes_max = from.take<std::uint64_t>();
  const bool has_state = from.take<std::uint8_t>() != 0;
  const std::string_view state = take_text(from);
  if (has_state) start.state = state;
  start.source = take_text(from);
  if (!from.ok() || !from.at_end()) return std::nullopt;
  return start;
}

void append_upcaster(std::string& to, std::uint32_t fold, const WorkerUpcaster& upcaster) {
  const std::size_t begun = begin_frame(to, FrameType::Upcaster, fold);
  put<std::uint32_t>(to, upcaster.call_time_ms);
  put<std::uint64_t>(to, upcaster.result_bytes_max);
  put_text(to, upcaster.source);
  end_frame(to, begun);
}

std::optional<WorkerUpcaster> decode_upcaster(std::string_view payload) {
  ByteReader from(payload);
  WorkerUpcaster upcaster;
  upcaster.call_time_ms = from.take<std::uint32_t>();
  upcaster.result_bytes_max = from.take<std::uint64_t>();
  upcaster.source = take_text(from);
  if (!from.ok() || !from.at_end()) return std::nullopt;
  return upcaster;
}

void append_event(std::string& to, const Record& event, const api::Upcast* upcast, const api::AliasTable* aliases) {
  const std::string* const alias = aliases == nullptr ? nullptr : aliases->shown_name(event.header().event_type);
  std::optional<std::string_view> data = event.body().data;
  if (upcast != nullptr && upcast->data) data = *upcast->data;
  if (data && data->empty()) data.reset();  // as everywhere in the API, which shows no such member
  const bool redacted = event.redacted(BodyMember::Data);
  const auto flags = static_cast<std::uint8_t>((data ? kHasData : 0) | (redacted ? kRedacted : 0));
  append_event_with(to, alias == nullptr ? event.header().event_type : std::string_view(*alias), flags, data,
                    [&](std::string& envelope) { api::append_envelope_json(envelope, event, upcast, aliases); });
}

void append_event(std::string& to, const Record& event, std::string_view data) {
  append_event_with(to, event.header().event_type, kHasData, data,
                    [&](std::string& envelope) { api::append_sent_envelope_json(envelope, event); });
}

void append_event(std::string& to, const WorkerEvent& event) {
  const auto flags = static_cast<std::uint8_t>((event.data ? kHasData : 0) | (event.redacted ? kRedacted : 0));
  append_event_with(to, event.type, flags, event.data, [&](std::string& envelope) { envelope += event.envelope; });
}

std::optional<WorkerEvent> take_event(std::string_view& rest) {
  if (rest.size() < kEventHeaderBytes) return std::nullopt;
  const auto flags = get_at<std::uint8_t>(rest.data());
  const std::uint64_t type = get_at<std::uint16_t>(rest.data() + 2);
  const std::uint64_t envelope = get_at<std::uint32_t>(rest.data() + 4);
  const std::uint64_t data = get_at<std::uint32_t>(rest.data() + 8);
  rest.remove_prefix(kEventHeaderBytes);
  if (rest.size() < type + envelope + data) return std::nullopt;
  WorkerEvent event;
  event.type = rest.substr(0, type);
  event.envelope = rest.substr(type, envelope);
  if ((flags & kHasData) != 0) event.data = rest.substr(type + envelope, data);
  event.redacted = (flags & kRedacted) != 0;
  rest.remove_prefix(type + envelope + data);
  return event;
}

void append_empty(std::string& to, FrameType type, std::uint32_t fold) { end_frame(to, begin_frame(to, type, fold)); }

void append_text(std::string& to, FrameType type, std::uint32_t fold, std::string_view text) {
  const std::size_t begun = begin_frame(to, type, fold);
  to += text;
  end_frame(to, begun);
}

void append_done(std::string& to, std::uint32_t fold, const WorkerCounts& counts) {
  const std::size_t begun = begin_frame(to, FrameType::Done, fold);
  put<std::uint64_t>(to, counts.applied);
  put<std::uint64_t>(to, counts.ignored);
  put<std::uint64_t>(to, counts.redacted);
  end_frame(to, begun);
}

void append_failure(std::string& to, std::uint32_t fold, const api::FoldFailure& failure, FrameType type) {
  const std::size_t begun = begin_frame(to, type, fold);
  put<std::uint8_t>(to, static_cast<std::uint8_t>(failure.kind));
  put<std::uint32_t>(to, failure.line.value_or(0));
  put<std::uint32_t>(to, failure.column.value_or(0));
  put<std::uint64_t>(to, failure.event ? *failure.event + 1 : 0);
  put_text(to, std::string_view(failure.limit).substr(0, kLimitBytesMax));
  put_text(to, clean_text(failure.message, kMessageBytesMax));
  put_text(to, clean_text(failure.pointer, kPointerBytesMax));
  end_frame(to, begun);
}

char* ReplyReader::prepare(std::size_t bytes) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (buffer_.size() - end_ < bytes) {
    if (begin_ != 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    if (buffer_.size() - end_ < bytes) buffer_.resize(std::max(end_ + bytes, buffer_.size() * 2));
  }
  return buffer_.data() + end_;
}

std::size_t ReplyReader::payload_bytes_max(FrameType type) const {
  switch (type) {
    case FrameType::Ready:
      return kEngineBytesMax;
    case FrameType::Unavailable:
      return kMessageBytesMax;
    case FrameType::Done:
      return 24;
    case FrameType::State:
    case FrameType::Upcasted:
      return state_bytes_max_;
    case FrameType::Failed:
    case FrameType::UpcastFailed:
      return 64 + kLimitBytesMax + kMessageBytesMax + kPointerBytesMax;
    default:
      return 0;
  }
}

std::variant<WorkerReply, ReplyReader::More, ReplyReader::Malformed> ReplyReader::next() {
  if (malformed_) return Malformed{};
  const std::string_view rest(buffer_.data() + begin_, end_ - begin_);
  if (rest.size() < kFrameHeaderBytes) return More{};
  const auto header = decode_frame_header(rest.substr(0, kFrameHeaderBytes));
  if (!header || header->type < FrameType::Ready || header->payload_bytes > payload_bytes_max(header->type)) {
    malformed_ = true;
    return Malformed{};
  }
  if (rest.size() - kFrameHeaderBytes < header->payload_bytes) return More{};
  auto reply = decode(*header, rest.substr(kFrameHeaderBytes, header->payload_bytes));
  begin_ += kFrameHeaderBytes + header->payload_bytes;
  constexpr std::size_t kKeptBytesMax = 1U << 20;
  if (begin_ == end_ && buffer_.size() > kKeptBytesMax) {  // a large state went through it
    begin_ = end_ = 0;
    buffer_ = std::string();
  }
  if (!reply) {
    malformed_ = true;
    return Malformed{};
  }
  return std::move(*reply);
}

std::optional<WorkerReply> ReplyReader::decode(const FrameHeader& header, std::string_view payload) const {
  WorkerReply reply;
  reply.type = header.type;
  reply.fold = header.fold;
  ByteReader from(payload);
  switch (header.type) {
    case FrameType::Ready:
    case FrameType::Unavailable:
      if (!is_text(payload, payload.size())) return std::nullopt;
      reply.text = payload;
      return reply;
    case FrameType::State:
    case FrameType::Upcasted:
      if (!is_state_json(payload)) return std::nullopt;
      reply.text = payload;
      return reply;
    case FrameType::Done:
      reply.counts.applied = from.take<std::uint64_t>();
      reply.counts.ignored = from.take<std::uint64_t>();
      reply.counts.redacted = from.take<std::uint64_t>();
      break;
    case FrameType::Failed:
    case FrameType::UpcastFailed: {
      const auto kind = from.take<std::uint8_t>();
      const auto line = from.take<std::uint32_t>();
      const auto column = from.take<std::uint32_t>();
      const auto event = from.take<std::uint64_t>();
      const std::string_view limit_name = take_text(from);
      const std::string_view message = take_text(from);
      const std::string_view pointer = take_text(from);
      if (!may_come_from_worker(kind) || !is_text(limit_name, kLimitBytesMax) || !is_text(message, kMessageBytesMax) ||
          !is_text(pointer, kPointerBytesMax)) {
        return std::nullopt;
      }
      reply.failure.kind = static_cast<api::FoldFailure::Kind>(kind);
      if (line != 0) reply.failure.line = line;
      if (column != 0) reply.failure.column = column;
      if (event != 0) reply.failure.event = event - 1;
      reply.failure.limit = limit_name;
      reply.failure.message = message;
      reply.failure.pointer = pointer;
      break;
    }
    default:
      break;
  }
  if (!from.ok() || !from.at_end()) return std::nullopt;
  return reply;
}

std::string clean_text(std::string_view text, std::size_t bytes) {
  if (text.size() > bytes) {
    std::size_t end = bytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80) --end;
    text = text.substr(0, end);
  }
  std::string clean(text);
  if (!simdjson::validate_utf8(clean.data(), clean.size())) {
    std::replace_if(
        clean.begin(), clean.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
  }
  return clean;
}

bool is_state_json(std::string_view text) {
  return simdjson::validate_utf8(text.data(), text.size()) && JsonChecker(text).check();
}

}  // namespace stele::net
