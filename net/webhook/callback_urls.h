#pragma once
// The URLs that requests go to, taken apart once and not for each request.

#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "net/webhook/callback_url.h"

namespace stele::net {

/// Not thread-safe; what it gives is, and is never null.
class CallbackUrls {
 public:
  using Parsed = std::shared_ptr<const Result<CallbackUrl>>;

  [[nodiscard]] Parsed parse(const std::string& text) {
    if (const auto known = known_.find(text); known != known_.end()) return known->second;
    auto parsed = std::make_shared<const Result<CallbackUrl>>(CallbackUrl::parse(text));
    if (known_.size() == known_max) known_.clear();
    known_.emplace(text, parsed);
    return parsed;
  }

 private:
  static constexpr std::size_t known_max = 256;
  std::map<std::string, Parsed> known_;
};

}  // namespace stele::net
