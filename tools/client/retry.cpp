#include "tools/client/retry.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include "tools/cli/quantity.h"
#include "tools/client/problem.h"

namespace stele::tools {

namespace {

bool is_later(int status) {
  return status == 408 || status == 429 || status == 502 || status == 503 || status == 504 || status == 507;
}

/// Whole seconds; zero if absent or a date.
std::chrono::seconds retry_after(const HttpResponse& response) {
  const auto text = response.header("retry-after");
  std::uint32_t seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return std::chrono::seconds{std::min<std::uint32_t>(seconds, 3600)};
}

}  // namespace

RetryingSender::RetryingSender(HttpClient& client, std::chrono::microseconds retry_for,
                               std::function<void(const std::string&)> notify)
    : client_(client), retry_for_(retry_for), notify_(std::move(notify)) {}

std::chrono::milliseconds RetryingSender::pause(unsigned attempt) {
  const std::int64_t most = std::min<std::int64_t>(100LL << std::min(attempt, 6U), 5'000);
  return std::chrono::milliseconds{std::uniform_int_distribution<std::int64_t>(most / 2, most)(random_)};
}

Result<HttpResponse> RetryingSender::send(const HttpRequest& request) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point outage_began{};
  for (unsigned attempt = 0;; ++attempt) {
    auto response = client_.send(request);
    if (response && !is_later(response->status)) {
      if (attempt > 1) {
        const std::chrono::duration<double> lasted = Clock::now() - outage_began;
        notify_(fmt::format("going on after {:.1f}s", lasted.count()));
      }
      return response;
    }
    if (!response && response.error().kind == ErrorKind::InvalidArgument) return response;
    const auto now = Clock::now();
    if (attempt == 0) outage_began = now;
    const std::string reason = response ? read_problem(*response).describe() : response.error().message;
    std::chrono::milliseconds delay = pause(attempt);
    if (response) delay = std::max<std::chrono::milliseconds>(delay, retry_after(*response));
    if (now + delay - outage_began > retry_for_) {
      return Error{ErrorKind::Io, retry_for_.count() == 0
                                      ? reason
                                      : fmt::format("{} (gave up after {})", reason, format_duration(retry_for_))};
    }
    // The first repeat is silent: a connection that idled too long is no news.
    if (attempt == 1) notify_(fmt::format("{}; trying again for up to {}", reason, format_duration(retry_for_)));
    std::this_thread::sleep_for(delay);
  }
}

}  // namespace stele::tools
