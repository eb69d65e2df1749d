#pragma once
// Names to addresses, for callbacks: a name whose servers do not answer must not hold up the others.

#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace stele::net {

struct ResolvedName {
  std::vector<boost::asio::ip::address> addresses;  ///< in the order they are to be tried
  std::string failure;                              ///< why there are none
};

struct NameQuestion {
  std::string host;
  std::string owner;                               ///< whose share of the look-ups it takes; may be empty
  std::chrono::steady_clock::time_point deadline;  ///< from then on nobody waits for it
};

class NameResolver {
 public:
  using Clock = std::chrono::steady_clock;
  virtual ~NameResolver() = default;
  using Done = std::function<void(ResolvedName)>;
  /// Any thread; never blocks. `done` is called at most once, on any thread, perhaps before resolve() returns, and not
  /// after the resolver is gone; it only hands the addresses on. What has not begun at its deadline may never be asked.
  virtual void resolve(const NameQuestion& question, Done done) = 0;
};

/// Asks the system (getaddrinfo) on threads of its own, which live as long as there is something to ask. Those who ask
/// for the same name at the same time share one question, so that a name takes one thread at most; an owner has a share
/// of the threads (`name_questions.h`), since nothing ends a question that takes long.
class SystemResolver final : public NameResolver {
 public:
  using Ask = std::function<ResolvedName(const std::string& host)>;

  SystemResolver();
  /// Asks by `ask`, which is called by several threads at once, perhaps after the resolver is gone, and may take long.
  explicit SystemResolver(Ask ask);
  /// Does not wait for questions that are under way: a name server that does not answer would hold it up.
  ~SystemResolver() override;
  SystemResolver(const SystemResolver&) = delete;
  SystemResolver& operator=(const SystemResolver&) = delete;

  void resolve(const NameQuestion& question, Done done) override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace stele::net
