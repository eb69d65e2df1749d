#pragma once
// Sends one request until it has an answer that is not "later": what lets an import ride out a restart of the server.
// Only for requests that may be repeated.

#include <chrono>
#include <functional>
#include <random>
#include <string>

#include "engine/base/result.h"
#include "tools/client/http_client.h"

namespace stele::tools {

/// One thread.
class RetryingSender {
 public:
  /// `notify` is told, in words for people, when an outage begins and ends.
  RetryingSender(HttpClient& client, std::chrono::microseconds retry_for,
                 std::function<void(const std::string&)> notify);

  /// Repeats after transport errors, 408, 429, 502, 503, 504 and 507, with growing pauses and jitter, not sooner than
  /// Retry-After says, for `retry_for` since the outage began. Then the last error, or an Error made of the last
  /// answer. InvalidArgument (a certificate that is not trusted) is returned at once.
  [[nodiscard]] Result<HttpResponse> send(const HttpRequest& request);

 private:
  [[nodiscard]] std::chrono::milliseconds pause(unsigned attempt);

  HttpClient& client_;
  std::chrono::microseconds retry_for_;
  std::function<void(const std::string&)> notify_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace stele::tools
