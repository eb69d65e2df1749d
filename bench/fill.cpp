// stele_fill: stores many events through the engine, without a server, so that there is something large to measure. The
// same seed and --end give the same events in the same order; store id, salts and the borders of groups differ.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "api/events/append_parser.h"
#include "bench/aggregate_mix.h"
#include "bench/decision_queue.h"
#include "bench/event_pool.h"
#include "engine/base/standard_descriptors.h"
#include "engine/store/store.h"

namespace stele::bench {
namespace {

constexpr std::size_t kCommitEventsMin = 100;
constexpr std::size_t kCommitEventsMax = 1000;
/// Few: all that is synced together gets one time.
constexpr std::size_t kCommitsInFlight = 4;
/// Aggregates with at least so many events are reported, so that a reader can ask for full pages.
constexpr std::uint32_t kBusyEvents = 200;
constexpr std::size_t kReportedMax = 1000;
constexpr std::size_t kRareAggregatesMax = 10;  ///< in one commit
constexpr std::size_t kRareEventBytesMax = 200;
constexpr std::size_t kPadding = 64;  ///< readable bytes that the parser wants behind the text

struct FillOptions {
  std::string folder;
  std::uint64_t events = 10'000'000;
  EventPoolOptions pool{.aggregates = 1'000'000, .users = 5000, .rare_every = 10'000, .seed = 1};
  bool even = false;
  std::uint64_t rare_aggregates = 0;
  double days = 30;
  std::int64_t end = 0;  ///< Unix seconds; 0 = now
  bool die = false;
  std::string json_file;
};

/// The time of the events that are being stored.
class FillClock final : public Clock {
 public:
  void set(std::int64_t unix_micros) { now_.store(unix_micros, std::memory_order_relaxed); }
  [[nodiscard]] Timestamp now() const override { return Timestamp{now_.load(std::memory_order_relaxed)}; }
  [[nodiscard]] std::int64_t monotonic_micros() const override { return now().micros; }

 private:
  std::atomic<std::int64_t> now_{0};
};

class Filler {
 public:
  explicit Filler(const FillOptions& options)
      : options_(options),
        pool_(options.pool),
        mix_(options.events, options.pool.aggregates, options.pool.seed + 1),
        random_(options.pool.seed + 2),
        counts_(options.pool.aggregates) {
    const std::int64_t now = system_clock().now().micros;
    end_ = options.end == 0 ? now : options.end * 1'000'000;
    start_ = end_ - static_cast<std::int64_t>(options.days * 86'400e6);
    for (const std::string& type : EventPool::rare_event_types()) rare_counts_[type] = 0;
  }

  void run() {
    StoreOptions store_options;
    store_options.folder = options_.folder;
    store_options.clock = &clock_;
    clock_.set(start_);
    auto opened = Store::open(store_options);
    if (!opened) throw std::runtime_error(opened.error().describe());
    store_ = std::move(opened).value();
    // A folder that has events already is continued.
    start_ = std::max(start_, store_->head().last_time.micros);
    end_ = std::max(end_, start_);

    began_ = std::chrono::steady_clock::now();
    while (made_ < options_.events) {
      if (in_flight_ == kCommitsInFlight) take_one();
      propose(std::min<std::uint64_t>(options_.events - made_,
                                      kCommitEventsMin + random_.below(kCommitEventsMax - kCommitEventsMin + 1)));
      show_progress(false);
    }
    while (in_flight_ != 0) take_one();
    show_progress(true);
  }

  void close() {
    if (const Status closed = store_->close(); !closed) throw std::runtime_error(closed.error().describe());
  }

  void write_report(std::FILE* to) const {
    std::fprintf(to, "{\"events\": %lu, \"json_bytes\": %lu, \"log_records\": %lu, \"seconds\": %.3f,\n", made_,
                 json_bytes_, records_, seconds());
    std::fprintf(to, " \"first_micros\": %ld, \"last_micros\": %ld, \"aggregates\": %ld, \"most_in_one\": %u,\n",
                 start_, end_, std::count_if(counts_.begin(), counts_.end(), [](std::uint32_t n) { return n != 0; }),
                 *std::max_element(counts_.begin(), counts_.end()));
    std::vector<std::string> busy;
    for (std::uint64_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] >= kBusyEvents) busy.push_back(EventPool::aggregate_id(i));
    }
    write_list(to, "busy_aggregates", busy);
    std::vector<std::string> users;
    for (std::uint64_t i = 0; i < options_.pool.users; ++i) users.push_back(EventPool::user_id(i));
    write_list(to, "users", users);
    std::fprintf(to, " \"rare_event_types\": {");
    const char* separator = "";
    for (const auto& [type, count] : rare_counts_) {
      std::fprintf(to, "%s\"%s\": %lu", separator, type.c_str(), count);
      separator = ", ";
    }
    std::fprintf(to, "}}\n");
  }

 private:
  /// At most kReportedMax of them, spread over the list.
  static void write_list(std::FILE* to, const char* name, const std::vector<std::string>& all) {
    std::fprintf(to, " \"%s\": [", name);
    const std::size_t step = std::max<std::size_t>(1, all.size() / kReportedMax);
    for (std::size_t i = 0, written = 0; i < all.size() && written < kReportedMax; i += step, ++written) {
      std::fprintf(to, "%s\"%s\"", written == 0 ? "" : ", ", all[i].c_str());
    }
    std::fprintf(to, "],\n");
  }

  void propose(std::uint64_t events) {
    body_.resize(events * (pool_.event_bytes_max() + 1) + kRareEventBytesMax * kRareAggregatesMax + 2 + kPadding);
    char* to = body_.data();
    *to++ = '[';
    for (std::uint64_t i = 0; i < events; ++i, ++made_) {
      if (i != 0) *to++ = ',';
      const double share = static_cast<double>(made_) / static_cast<double>(options_.events);
      time_ = start_ + static_cast<std::int64_t>(share * static_cast<double>(end_ - start_));
      pool_.set_time(time_);
      const std::uint64_t aggregate = options_.even ? made_ % options_.pool.aggregates : mix_.next();
      const WrittenEvent event = pool_.write_event_of(aggregate, to);
      ++counts_[aggregate];
      if (const auto rare = rare_counts_.find(event.event_type); rare != rare_counts_.end()) ++rare->second;
      json_bytes_ += event.json.size();
      to += event.json.size();
    }
    // Aggregates of the rare type begin all over the log.
    for (std::size_t i = 0; i < kRareAggregatesMax && rare_made_ * options_.events < options_.rare_aggregates * made_;
         ++i) {
      const int written = std::snprintf(
          to, kRareEventBytesMax,
          R"(,{"eventType":"RareNoted","aggregateId":"rare-%07lu","aggregateType":"Rare","data":{"text":"seldom"}})",
          rare_made_++);
      json_bytes_ += static_cast<std::uint64_t>(written) - 1;
      to += written;
    }
    *to++ = ']';
    const std::string_view body(body_.data(), static_cast<std::size_t>(to - body_.data()));
    Proposal proposal;
    if (api::parse_append(body, api::BodyFormat::Json, limits_, context_, clock_, proposal)) {
      throw std::runtime_error("the parser of the server refuses a made-up event");
    }
    for (RecordDraft& draft : proposal.events) draft.seal();
    clock_.set(time_);
    ++in_flight_;
    store_->append(std::move(proposal), [this](Decision decision) { returned_.put(std::move(decision)); });
  }

  void take_one() {
    const Decision decision = returned_.take();
    --in_flight_;
    const AppendOutcome outcome = store_->finish(decision);
    if (outcome.kind != AppendOutcome::Kind::Stored)
      throw std::runtime_error("a commit was not stored: " + outcome.detail);
    stored_ += outcome.count;
    records_ = std::max(records_, outcome.first.value() + outcome.count);
  }

  void show_progress(bool last) {
    const auto now = std::chrono::steady_clock::now();
    if (!last && now - shown_ < std::chrono::seconds(1)) return;
    shown_ = now;
    // One line on a terminal, and in a file no more than a line at the end.
    const bool terminal = ::isatty(STDERR_FILENO) != 0;
    if (!terminal && !last) return;
    std::fprintf(stderr, "%s  %lu of %lu events stored, %.0f/s%s", terminal ? "\r" : "", stored_, options_.events,
                 static_cast<double>(stored_) / seconds(), last ? "\n" : "");
  }

  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  }

  FillOptions options_;
  EventPool pool_;
  AggregateMix mix_;
  Random random_;
  FillClock clock_;
  std::int64_t start_ = 0;
  std::int64_t end_ = 0;
  std::int64_t time_ = 0;
  api::Limits limits_;
  api::AppendContext context_;
  DecisionQueue returned_;  // outlives the store, whose thread fills it
  std::unique_ptr<Store> store_;
  std::string body_;
  std::size_t in_flight_ = 0;
  std::uint64_t made_ = 0;
  std::uint64_t rare_made_ = 0;
  std::uint64_t stored_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t json_bytes_ = 0;
  std::vector<std::uint32_t> counts_;
  std::map<std::string, std::uint64_t, std::less<>> rare_counts_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point shown_;
};

}  // namespace
}  // namespace stele::bench

int main(int argc, char** argv) {
  stele::open_standard_descriptors();
  using namespace stele::bench;
  FillOptions options;
  CLI::App app{"Stores made-up events in a data folder that no server has open."};
  app.add_option("--folder", options.folder, "data folder; made if it does not exist")->required();
  app.add_option("--events", options.events, "how many")->check(CLI::Range(1, 2'000'000'000))->capture_default_str();
  app.add_option("--aggregates", options.pool.aggregates, "in how many aggregates, Zipf-like; at most --events")
      ->check(CLI::Range(1, 39'999'999))
      ->capture_default_str();
  app.add_flag("--even", options.even, "every aggregate gets the same number instead");
  app.add_option("--users", options.pool.users, "by how many users")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--rare-every", options.pool.rare_every, "each rare event type has one event in so many; 0 = none")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  app.add_option("--rare-aggregates", options.rare_aggregates,
                 "so many aggregates more, of the type Rare, with an event each")
      ->check(CLI::Range(0, 9'999'999))
      ->capture_default_str();
  app.add_option("--days", options.days, "the time over which they spread")
      ->check(CLI::Range(0.0, 3650.0))
      ->capture_default_str();
  app.add_option("--end", options.end, "when it ends, in Unix seconds; 0 = now")->capture_default_str();
  app.add_option("--seed", options.pool.seed, "other seeds give other events")
      ->check(CLI::Range(1, 2'000'000'000))
      ->capture_default_str();
  app.add_flag("--die", options.die, "at the end the process kills itself (SIGKILL) instead of closing the store");
  app.add_option("--json", options.json_file, "write what was stored to this file");
  CLI11_PARSE(app, argc, argv);
  try {
    options.pool.aggregates = std::min(options.pool.aggregates, options.events);
    Filler filler(options);
    filler.run();
    if (!options.die) filler.close();
    if (!options.json_file.empty()) {
      std::FILE* const file = std::fopen(options.json_file.c_str(), "w");
      if (file == nullptr) throw std::runtime_error("cannot write " + options.json_file);
      filler.write_report(file);
      if (std::fclose(file) != 0) throw std::runtime_error("cannot write " + options.json_file);
    }
    if (options.die) ::kill(::getpid(), SIGKILL);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "stele_fill: " << error.what() << "\n";
    return 2;
  }
}
