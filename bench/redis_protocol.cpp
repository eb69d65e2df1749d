#include "bench/redis_protocol.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace stele::bench {
namespace {

constexpr std::string_view kCommandStart = "*5\r\n$4\r\nXADD\r\n$6\r\nevents\r\n$1\r\n*\r\n$5\r\nevent\r\n$";
/// Digits of a length and three line ends.
constexpr std::size_t kLengthBytesMax = 16;
constexpr std::size_t kLineBytesMax = 4096;

char* append(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

/// Counts replies: an id is a bulk string ("$15\r\n1700000000000-0\r\n"), a refusal a line that begins with "-".
class RespReader final : public ReplyReader {
 public:
  explicit RespReader(std::size_t replies) : wanted_(replies), left_(replies) {}

  Progress feed(std::string_view bytes) override {
    while (!bytes.empty()) {
      if (left_ == 0) return Progress::Broken;
      const std::size_t end = bytes.find('\n');
      line_.append(bytes.substr(0, end));
      if (line_.size() > kLineBytesMax) return Progress::Broken;
      if (end == std::string_view::npos) break;
      bytes.remove_prefix(end + 1);
      if (in_bulk_) {
        in_bulk_ = false;
        --left_;
      } else if (line_.starts_with('$')) {
        in_bulk_ = true;
      } else if (line_.starts_with('-')) {
        if (error_.empty()) error_ = line_;
        --left_;
      } else {
        return Progress::Broken;
      }
      line_.clear();
    }
    return left_ == 0 ? Progress::Done : Progress::NeedMore;
  }
  void reset() override {
    left_ = wanted_;
    in_bulk_ = false;
    line_.clear();
    error_.clear();
  }
  [[nodiscard]] int status() const override { return error_.empty() ? 200 : 500; }
  [[nodiscard]] const std::string& error_text() const override { return error_; }

 private:
  std::size_t wanted_;
  std::size_t left_;
  bool in_bulk_ = false;
  std::string line_;
  std::string error_;
};

}  // namespace

RedisAppend::RedisAppend(const EventPoolOptions& events, std::size_t batch)
    : pool_(events), commands_(std::max<std::size_t>(batch, 1)), event_(pool_.event_bytes_max(), '\0') {}

std::size_t RedisAppend::request_bytes_max() const {
  return commands_ * (kCommandStart.size() + kLengthBytesMax + pool_.event_bytes_max());
}

std::string_view RedisAppend::write_request(std::size_t, std::span<char> room) {
  char* end = room.data();
  for (std::size_t i = 0; i < commands_; ++i) {
    const std::string_view event = pool_.write_event(event_.data()).json;
    end = append(end, kCommandStart);
    end = std::to_chars(end, end + kLengthBytesMax, event.size()).ptr;
    end = append(end, "\r\n");
    end = append(end, event);
    end = append(end, "\r\n");
  }
  return {room.data(), end};
}

std::unique_ptr<ReplyReader> RedisAppend::make_reader() const { return std::make_unique<RespReader>(commands_); }

}  // namespace stele::bench
