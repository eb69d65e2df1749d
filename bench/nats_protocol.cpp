#include "bench/nats_protocol.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace stele::bench {
namespace {

constexpr std::size_t kLineBytesMax = 16 * 1024;
constexpr std::size_t kNumberBytesMax = 20;

char* append(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

/// Ends with the MSG that carries the acknowledgement and passes over INFO and PING. A PING is not answered: the server
/// gives up on a client only after minutes, and runs are shorter.
class AckReader final : public ReplyReader {
 public:
  Progress feed(std::string_view bytes) override {
    while (!bytes.empty()) {
      if (payload_left_ != 0) {
        const std::size_t taken = std::min(payload_left_, bytes.size());
        payload_.append(bytes.substr(0, taken));
        payload_left_ -= taken;
        bytes.remove_prefix(taken);
        done_ = payload_left_ == 0;
        continue;
      }
      const std::size_t end = bytes.find('\n');
      line_.append(bytes.substr(0, end));
      if (line_.size() > kLineBytesMax) return Progress::Broken;
      if (end == std::string_view::npos) break;
      bytes.remove_prefix(end + 1);
      if (line_.starts_with("MSG ")) {
        if (done_) return Progress::Broken;
        const std::size_t space = line_.rfind(' ');
        std::from_chars(line_.data() + space + 1, line_.data() + line_.size(), payload_left_);
        payload_left_ += 2;
      } else if (line_.starts_with("HMSG ") || line_.starts_with("-ERR")) {
        // A message with headers is "no responders": there is no stream.
        return Progress::Broken;
      }
      line_.clear();
    }
    return done_ && payload_left_ == 0 ? Progress::Done : Progress::NeedMore;
  }
  void reset() override {
    // The begin of a PING may stand in line_.
    done_ = false;
    payload_.clear();
  }
  [[nodiscard]] int status() const override { return payload_.find("\"error\"") == std::string::npos ? 200 : 500; }
  [[nodiscard]] const std::string& error_text() const override { return payload_; }

 private:
  bool done_ = false;
  std::size_t payload_left_ = 0;
  std::string line_;
  std::string payload_;
};

}  // namespace

NatsPublish::NatsPublish(const EventPoolOptions& events)
    : pool_(events),
      // A subject is seen by whoever subscribes to it, so that inboxes need names of their own across all generators.
      inbox_("_INBOX." + std::to_string(Random::unpredictable().next()) + "."),
      event_(pool_.event_bytes_max(), '\0') {}

std::string NatsPublish::greeting(std::size_t connection) {
  return "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB " + inbox_ + std::to_string(connection) + " 1\r\n";
}

std::size_t NatsPublish::request_bytes_max() const {
  return 32 + inbox_.size() + 2 * kNumberBytesMax + pool_.event_bytes_max();
}

std::string_view NatsPublish::write_request(std::size_t connection, std::span<char> room) {
  const std::string_view event = pool_.write_event(event_.data()).json;
  char* end = append(room.data(), "PUB events ");
  end = append(end, inbox_);
  end = std::to_chars(end, end + kNumberBytesMax, connection).ptr;
  *end++ = ' ';
  end = std::to_chars(end, end + kNumberBytesMax, event.size()).ptr;
  end = append(end, "\r\n");
  end = append(end, event);
  end = append(end, "\r\n");
  return {room.data(), end};
}

std::unique_ptr<ReplyReader> NatsPublish::make_reader() const { return std::make_unique<AckReader>(); }

}  // namespace stele::bench
