#pragma once
// What clients sent to a store and what came back, to be compared with what the store holds after an error; and clients
// that fill one. For tests that run the real binary and break something under it.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/http_client.h"

namespace stele::tests {

/// What is known of a commit after its answer.
enum class Fate {
  Unknown,  ///< no answer, or one that does not tell: stored as a whole or not at all
  Stored,   ///< acknowledged
  Refused,  ///< the answer said that nothing was stored
};

struct SentEvent {
  std::string id;
  std::string aggregate;
  std::string data;                          ///< JSON as sent
  std::uint64_t position = 0, sequence = 0;  ///< of an acknowledged one
};

/// One request: a single event or a list that is stored as a whole or not at all.
struct SentCommit {
  std::string body;
  std::vector<SentEvent> events;
  bool is_list = false;
  Fate fate = Fate::Unknown;
};

/// What comparing a store with a ledger found.
struct Comparison {
  std::uint64_t stored = 0;         ///< events of the ledger that the store holds
  std::uint64_t lost = 0;           ///< acknowledged events that it does not hold, or not as acknowledged
  std::vector<std::string> errors;  ///< each loss and everything else that must not be; the first 20
  [[nodiscard]] std::string text() const;
};

/// Thread-safe while clients run; compare() and settle() are called when they have ended.
class Ledger {
 public:
  Ledger() = default;
  /// For a copy of the store; no clients may run.
  Ledger(const Ledger& other);
  Ledger& operator=(const Ledger&) = delete;

  /// Sends the commit, notes it before and its fate after, and returns the answer.
  HttpResponse send(HttpClient& http, SentCommit commit);

  /// Reads everything back and compares: every acknowledged event there and unchanged, lists whole or absent, refused
  /// commits absent, positions ascending, the numbers of each aggregate without gaps, and the same through the
  /// aggregates' lists and the ids of some events.
  [[nodiscard]] Comparison compare(int port);
  /// Sends again what has no known fate: each is then stored exactly once, whether it had been before or not, and
  /// `data` is byte for byte what was sent.
  [[nodiscard]] Comparison settle(int port);

  /// Waits until `count` commits more than now have been answered; false if nothing moves for a minute.
  [[nodiscard]] bool wait_for_answers(std::uint64_t count);
  [[nodiscard]] std::uint64_t acknowledged() const;  ///< events
  [[nodiscard]] std::uint64_t refused() const;       ///< commits
  [[nodiscard]] std::uint64_t sent() const;          ///< commits

 private:
  void note(SentCommit& commit, const HttpResponse& response);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, SentCommit> commits_;  ///< by the id of the first event; entries stay where they are
  std::uint64_t answered_ = 0, acknowledged_ = 0, refused_ = 0;
};

struct LoadOptions {
  int aggregates = 20;
  std::size_t data_bytes_max = 700;
};

/// A commit of random shape: mostly single events, some lists over several aggregates, and some that must be refused
/// because they expect a sequence number far away.
[[nodiscard]] SentCommit make_commit(std::mt19937_64& random, const LoadOptions& options = {});

/// Clients that append on their own connections until stop() or until the server does not accept events any more.
class Load {
 public:
  Load(int port, int clients, std::uint64_t seed, Ledger& ledger, LoadOptions options = {});
  ~Load() { stop(); }
  void stop();

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> clients_;
};

}  // namespace stele::tests
