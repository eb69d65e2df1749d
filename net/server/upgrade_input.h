#pragma once
// What the client of an upgraded connection sends, on its way to the stream: no more is read than that takes.

#include <string>
#include <string_view>

#include "api/http/pushed_body.h"
#include "net/http/transport.h"

namespace stele::net {

/// One thread. What the stream has not taken, a reading at most, is all it keeps.
class UpgradeInput {
 public:
  /// `behind` came with the request. The others must outlive it.
  UpgradeInput(api::UpgradedStream& stream, Transport& transport, std::string_view behind)
      : stream_(stream), transport_(transport), left_(behind), untried_(!behind.empty()) {}
  UpgradeInput(const UpgradeInput&) = delete;
  UpgradeInput& operator=(const UpgradeInput&) = delete;

  /// Whether the stream has taken all there was, so that more may be read.
  [[nodiscard]] bool is_hungry() const { return left_.empty() && !ended_; }
  /// Whether nothing follows, and the stream has all.
  [[nodiscard]] bool has_ended() const { return ended_; }

  /// Offers what is left, if there is a `reason` to try that again. Whether the stream was called; an error is its own.
  [[nodiscard]] Result<bool> offer_left(bool reason);
  /// Reads once, and offers that. As above. Only if it is_hungry().
  [[nodiscard]] Result<bool> read();

 private:
  [[nodiscard]] Result<bool> offer(std::string_view bytes);

  api::UpgradedStream& stream_;
  Transport& transport_;
  std::string left_;
  bool untried_;
  bool ended_ = false;
};

}  // namespace stele::net
