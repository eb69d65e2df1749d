#pragma once
// Clients of webhooks in tests, that may go to loopback and nowhere else.

#include <atomic>
#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "net/webhook/webhook_client.h"
#include "tests/net/webhook_receiver.h"

namespace stele::tests {

using api::WebhookAnswer;
using api::WebhookRequest;
using Outcome = WebhookAnswer::Outcome;
using std::chrono::milliseconds;

/// Gives each name's answers one after another, the last one for ever; none for others, ever.
class ScriptedNames final : public net::NameResolver {
 public:
  explicit ScriptedNames(std::map<std::string, std::vector<std::vector<const char*>>> answers)
      : answers_(std::move(answers)) {}
  void resolve(const net::NameQuestion& question, Done done) override {
    const std::lock_guard lock(mutex_);
    ++asked;
    const auto found = answers_.find(question.host);
    if (found == answers_.end()) {
      silent_.push_back(std::move(done));
      return;
    }
    net::ResolvedName result;
    for (const char* address : found->second.front()) {
      result.addresses.push_back(boost::asio::ip::make_address(address));
    }
    if (result.addresses.empty()) result.failure = "Name or service not known";
    if (found->second.size() > 1) found->second.erase(found->second.begin());
    done(std::move(result));
  }
  std::atomic<int> asked{0};

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<std::vector<const char*>>> answers_;
  std::vector<Done> silent_;
};

inline net::WebhookClientOptions to_loopback() {
  net::WebhookClientOptions options;
  options.guard.allowed = {net::AddressRange::parse("127.0.0.1").value()};
  // More than any test needs, so that a slow machine fails none.
  options.connect_time_max = milliseconds(60'000);
  return options;
}

inline WebhookRequest request_to(std::string url, std::string body = "{}") {
  WebhookRequest request;
  request.url = std::move(url);
  request.body = std::move(body);
  request.timeout = milliseconds(60'000);
  return request;
}

inline std::future<WebhookAnswer> begin(net::WebhookClient& client, WebhookRequest request) {
  auto promise = std::make_shared<std::promise<WebhookAnswer>>();
  std::future<WebhookAnswer> future = promise->get_future();
  client.send(std::move(request), [promise](WebhookAnswer answer) { promise->set_value(std::move(answer)); });
  return future;
}

inline WebhookAnswer post(net::WebhookClient& client, WebhookRequest request) {
  return begin(client, std::move(request)).get();
}
inline WebhookAnswer post(net::WebhookClient& client, const std::string& url) { return post(client, request_to(url)); }

/// Against one that does this with every connection.
inline WebhookAnswer post_to(WebhookReceiver::Script script, milliseconds timeout = milliseconds(60'000)) {
  WebhookReceiver receiver(std::move(script));
  net::WebhookClient client(to_loopback());
  WebhookRequest request = request_to(receiver.url());
  request.timeout = timeout;
  return post(client, std::move(request));
}

}  // namespace stele::tests
