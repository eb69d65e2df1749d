#pragma once
// What may be under way at once: bounds for all receivers together, and for each what is left to it.

#include <cstddef>
#include <map>
#include <string>

namespace stele::net {

struct WebhookBounds {
  std::size_t requests_max = 4096;          ///< of all; those in line count
  std::size_t body_bytes_max = 256U << 20;  ///< of all those requests
  std::size_t receiver_parts = 8;           ///< a receiver's share of both, see fair_share()
};

/// Counts requests from send() to their answer. A receiver is a host as URLs name it, whatever the port: a machine has
/// many ports. It can have many names too, and each counts, but the more of them take their share the smaller it is.
/// Not thread-safe.
class WebhooksUnderWay {
 public:
  explicit WebhooksUnderWay(const WebhookBounds& bounds) : bounds_(bounds) {}

  /// Whether one more with a body of so many bytes is within the bounds. Where nothing else is under way, its body has
  /// the share that two parts would give, for those that are larger than a part.
  [[nodiscard]] bool has_room(const std::string& host, std::size_t bytes) const;
  /// Throws std::bad_alloc; then nothing has changed.
  void add(const std::string& host, std::size_t bytes);
  /// What was added.
  void remove(const std::string& host, std::size_t bytes);

  [[nodiscard]] std::size_t requests() const { return all_.requests; }

 private:
  struct Count {
    std::size_t requests = 0;
    std::size_t bytes = 0;
  };

  const WebhookBounds bounds_;
  Count all_;
  std::map<std::string, Count> receivers_;  ///< those with a request
};

}  // namespace stele::net
