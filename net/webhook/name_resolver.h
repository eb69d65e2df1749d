#pragma once
// Names to addresses, for callbacks: a name whose servers do not answer must not hold up the others.

#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace stele::net {

struct ResolvedName {
  std::vector<boost::asio::ip::address> addresses;  ///< in the order they are to be tried
  std::string failure;                              ///< why there are none
};

class NameResolver {
 public:
  virtual ~NameResolver() = default;
  using Done = std::function<void(ResolvedName)>;
  /// Any thread; never blocks. `done` is called at most once, on any thread, perhaps before resolve() returns, and not
  /// after the resolver is gone; it only hands the addresses on.
  virtual void resolve(const std::string& host, Done done) = 0;
};

/// Asks the system (getaddrinfo) on threads of its own, which live as long as there is something to ask. Those who ask
/// for the same name at the same time share one question, so that a name takes one thread at most.
class SystemResolver final : public NameResolver {
 public:
  static constexpr std::size_t threads_max = 16;

  SystemResolver();
  /// Does not wait for questions that are under way: a name server that does not answer would hold it up.
  ~SystemResolver() override;
  SystemResolver(const SystemResolver&) = delete;
  SystemResolver& operator=(const SystemResolver&) = delete;

  void resolve(const std::string& host, Done done) override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace stele::net
