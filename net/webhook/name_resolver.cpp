#include "net/webhook/name_resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <cstring>
#include <exception>
#include <optional>
#include <thread>
#include <utility>

#include "engine/base/mutex.h"
#include "net/http/localhost.h"
#include "net/webhook/name_questions.h"

namespace stele::net {

namespace {

constexpr std::size_t addresses_max = 32;

ResolvedName ask_system(const std::string& host) {
  ResolvedName result;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int outcome = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (outcome != 0) {
    result.failure = ::gai_strerror(outcome);
    return result;
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  for (const addrinfo* at = list; at != nullptr && result.addresses.size() < addresses_max; at = at->ai_next) {
    boost::asio::ip::tcp::endpoint endpoint;
    if (at->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), at->ai_addr, at->ai_addrlen);
    result.addresses.push_back(endpoint.address());
  }
  if (result.addresses.empty()) result.failure = "it has no address";
  return result;
}

}  // namespace

struct SystemResolver::State {
  explicit State(Ask how) : ask(std::move(how)) {}

  const Ask ask;
  Mutex mutex;
  NameQuestions questions GUARDED_BY(mutex);

  /// A thread for each name whose turn it is.
  static void begin(const std::shared_ptr<State>& state) REQUIRES(state->mutex) {
    while (const auto host = state->questions.next(Clock::now())) {
      try {
        std::thread thread([state, host = *host] { run(state, host); });
        (void)::pthread_setname_np(thread.native_handle(), "stele-names");
        thread.detach();
      } catch (const std::exception&) {
        state->tell(*host, {{}, "there is no thread to look it up"});
      }
    }
  }

  static void run(const std::shared_ptr<State>& state, std::string host) {
    for (std::optional<std::string> next = std::move(host); next;) {
      ResolvedName result;
      try {
        result = state->ask(*next);
      } catch (const std::exception&) {
        result.failure = "no memory";
      }
      const MutexLock lock(state->mutex);
      state->tell(*next, result);
      next = state->questions.next(Clock::now());
      // What others may ask at once can be more by now.
      if (next) begin(state);
    }
  }

  /// Under the lock, so that nobody is told once the resolver has ended.
  void tell(const std::string& host, const ResolvedName& result) REQUIRES(mutex) {
    for (const NameQuestions::Waiter& waiter : questions.answered(host)) waiter.done(result);
  }
};

SystemResolver::SystemResolver() : SystemResolver(&ask_system) {}

SystemResolver::SystemResolver(Ask ask) : state_(std::make_shared<State>(std::move(ask))) {}

SystemResolver::~SystemResolver() {
  const MutexLock lock(state_->mutex);
  state_->questions.clear();
}

void SystemResolver::resolve(const NameQuestion& question, Done done) {
  if (is_localhost(question.host)) return done({localhost_addresses(), {}});
  const MutexLock lock(state_->mutex);
  if (!state_->questions.add(question, Clock::now(), done)) {
    return done({{}, "too many names are waiting to be looked up"});
  }
  State::begin(state_);
}

}  // namespace stele::net
