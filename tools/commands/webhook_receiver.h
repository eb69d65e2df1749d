#pragma once
// What `stele listen` does with a request: believe it, print its events, answer.

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <unordered_set>

#include "api/http/http.h"
#include "tools/client/webhook_secrets.h"

namespace stele::tools {

/// Thread-safe; deliveries are taken one after another. Prints on stdout, and refusals on stderr.
class WebhookReceiver final : public api::Handler {
 public:
  struct Options {
    WebhookSecrets secrets;
    bool json = false;  ///< one object a line, instead of a table
    /// Of a hundred deliveries, about so many are answered with `failure_status`, after they were printed.
    unsigned failures_percent = 0;
    int failure_status = 500;
    std::uint64_t deliveries_max = 0;  ///< then there is an end; 0 = none
  };

  /// `scheduler` must outlive it.
  WebhookReceiver(api::Scheduler& scheduler, Options options);

  void handle(const api::Request& request, api::Reply reply) override;
  void begin_shutdown() override;

  /// Until there were as many deliveries as there may be, nothing can be printed any more, or begin_shutdown().
  void wait_for_end();
  /// That were printed.
  [[nodiscard]] std::uint64_t deliveries() const;

 private:
  [[nodiscard]] api::Response answer_to(const api::Request& request);
  [[nodiscard]] api::Response take(const api::Request& request);
  [[nodiscard]] api::Response refuse(const api::Request& request, std::string_view slug, std::string why) const;
  [[nodiscard]] bool is_repeated(std::string_view id);
  [[nodiscard]] bool is_to_fail();
  void end();

  api::Scheduler& scheduler_;
  const Options options_;

  mutable std::mutex mutex_;
  std::condition_variable ended_changed_;
  bool ended_ = false;
  std::uint64_t deliveries_ = 0;
  std::unordered_set<std::uint64_t> known_;  ///< hashes of ids …
  std::deque<std::uint64_t> in_order_;       ///< … and the same, oldest first
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace stele::tools
