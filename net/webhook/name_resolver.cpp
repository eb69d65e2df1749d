#include "net/webhook/name_resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <cstring>
#include <deque>
#include <map>
#include <system_error>
#include <thread>
#include <utility>

#include "engine/base/mutex.h"
#include "net/http/localhost.h"

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
  Mutex mutex;
  std::map<std::string, std::vector<Done>> asking GUARDED_BY(mutex);  ///< and who waits for it
  std::deque<std::string> queue GUARDED_BY(mutex);                    ///< those that no thread has taken yet
  std::size_t threads GUARDED_BY(mutex) = 0;

  static void run(const std::shared_ptr<State>& state) {
    MutexLock lock(state->mutex);
    while (!state->queue.empty()) {
      const std::string host = std::move(state->queue.front());
      state->queue.pop_front();
      lock.unlock();
      const ResolvedName result = ask_system(host);
      lock.lock();
      const auto found = state->asking.find(host);
      if (found == state->asking.end()) continue;  // the resolver is gone
      // Under the lock, so that none is called once the resolver has ended.
      for (const Done& done : found->second) done(result);
      state->asking.erase(found);
    }
    --state->threads;
  }
};

SystemResolver::SystemResolver() : state_(std::make_shared<State>()) {}

SystemResolver::~SystemResolver() {
  const MutexLock lock(state_->mutex);
  state_->asking.clear();
  state_->queue.clear();
}

void SystemResolver::resolve(const std::string& host, Done done) {
  if (is_localhost(host)) return done({localhost_addresses(), {}});
  MutexLock lock(state_->mutex);
  const auto [at, is_new] = state_->asking.try_emplace(host);
  at->second.push_back(std::move(done));
  if (!is_new) return;
  state_->queue.push_back(host);
  if (state_->threads == threads_max) return;
  try {
    std::thread thread(&State::run, state_);
    (void)::pthread_setname_np(thread.native_handle(), "stele-names");
    thread.detach();
    ++state_->threads;
  } catch (const std::system_error&) {
    if (state_->threads > 0) return;  // one of them comes to it
    const std::vector<Done> waiting = std::move(at->second);
    state_->asking.erase(at);
    state_->queue.clear();
    for (const Done& one : waiting) one({{}, "there is no thread to look it up"});
  }
}

}  // namespace stele::net
