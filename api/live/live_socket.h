#pragma once
// A live stream as messages of JSON: the protocol stele.v1.json.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/live/live_feed.h"
#include "api/live/message_framing.h"

namespace stele::api {

inline constexpr std::string_view kLiveProtocol = "stele.v1.json";
/// The longest message that has a meaning is far shorter.
inline constexpr std::size_t kLiveMessageBytesMax = 4096;

/// Gives `event`, `checkpoint`, `caughtUp` and `error`; takes `credit`. The first credit switches to counting: from
/// there on an event costs one, and a reader that gives none is waited for.
class LiveSocket final : public MessageConversation {
 public:
  LiveSocket(std::unique_ptr<LiveFeed> feed, std::chrono::milliseconds checkpoint_interval);

  void begin(std::shared_ptr<Waker> waker) override { feed_->begin(std::move(waker)); }
  [[nodiscard]] Result<Step> next(Occasion occasion, Sink& to) override;
  void take(std::string_view text, Sink& to) override;
  [[nodiscard]] bool may_block() const override { return has_credit() && feed_->may_block(); }
  [[nodiscard]] std::chrono::milliseconds quiet_max() const override { return checkpoint_interval_; }

 private:
  [[nodiscard]] bool has_credit() const { return !credit_ || *credit_ > 0; }
  [[nodiscard]] Result<Step> give_events(Sink& to);
  void give_position(Sink& to, std::string_view type);
  void give_checkpoint(Sink& to);
  void fail(Sink& to, std::uint16_t code, std::string_view error, std::string_view detail);

  const std::unique_ptr<LiveFeed> feed_;
  const std::chrono::milliseconds checkpoint_interval_;
  std::chrono::steady_clock::time_point said_;
  std::optional<std::uint64_t> credit_;  ///< none = events are not counted
  bool ended_ = false;
  std::string text_;  ///< of the message in the making
};

/// How many events a message of the client grants; none if it is no credit.
[[nodiscard]] std::optional<std::uint64_t> parse_credit(std::string_view text);

}  // namespace stele::api
