// Deliveries on a disk that drops, tears and reorders what was not synced, to receivers that fail as they like. After
// every crash, which may come at any write, the journal opens and the queue goes on. Meanwhile somebody pauses it, sets
// it to another place, changes its settings, and has dead letters tried again or dropped; some fetch events by leases.
// Every event that matches reaches its receiver or the dead letters, none is attempted before an earlier one of its
// aggregate is done with, and a number stands for one set of events for ever. STELE_CRASH_SEEDS sets how many seeds are
// tried, STELE_CRASH_SEED a single one.

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "api/subscriptions/pull_leases.h"
#include "engine/deliveries/delivery_journal.h"
#include "engine/deliveries/delivery_queue.h"
#include "tests/support/environment.h"
#include "tests/support/fake_clock.h"
#include "tests/support/simulated_file_system.h"

using namespace stele;
using stele::test::FakeClock;
using stele::test::number_from;

namespace {

const SubscriptionKey kSubscription{7};

struct Outcomes {
  std::uint64_t attempts = 0, delivered = 0, again = 0, dead = 0, crashes = 0, redriven = 0, slow = 0, full = 0;
  std::uint64_t sought = 0, sought_again = 0, changed = 0, dropped = 0, leases_over = 0, leases_extended = 0;
};

class DeliveryTrial {
 public:
  DeliveryTrial(std::uint64_t seed, Outcomes& outcomes) : random_(seed), disk_(seed), outcomes_(outcomes) {
    settings_.attempts_max = static_cast<std::uint32_t>(1 + below(5));
    settings_.initial_delay = std::chrono::milliseconds(100);
    settings_.delay_max = std::chrono::milliseconds(3'000);
    settings_.batch_events_max = chance(40) ? 1 : 1 + below(20);
    settings_.batch_bytes_max = 1'000;
    settings_.in_flight_max = 1 + below(8);
    settings_.waiting_max = 5 + below(60);
    settings_.one_by_one = chance(15);
    settings_.on_dead_letter = settings_.one_by_one ? OnDeadLetter::Stop : static_cast<OnDeadLetter>(below(3));
    settings_.held_max = chance(20) ? below(3) : 1'000;
    settings_.dead_letters_max = chance(10) ? 2 : 1'000;
    settings_.settled_max = chance(30) ? 1 + below(20) : 1'000;
    settings_.busy_waiting_max = below(10);
    settings_.busy_waiting_time = std::chrono::milliseconds(chance(70) ? below(5'000) : 3'600'000);
    is_pulled_ = !settings_.one_by_one && chance(30);
    note_settings();
    const std::uint64_t aggregates = 1 + below(12);
    for (std::uint64_t i = 0, n = 50 + below(200); i < n; ++i) {
      log_.push_back({"a" + std::to_string(below(aggregates)), chance(80), below(400)});
    }
  }

  void run() {
    open();
    for (std::uint64_t i = 0, n = 200 + below(600); i < n; ++i) {
      if (disk_.power_is_cut() || chance(1)) {
        crash();
      } else {
        act();
      }
    }
    crash();
    is_paused_ = false;
    // Everybody is well again: what is left comes, and the end is reached.
    lenient_ = true;
    disk_.stop_failing();
    const auto everything = [&] {
      return queue_->read_end() == Position{log_.size()} && queue_->state().end == queue_->read_end() &&
             queue_->state().batches.empty() && waiting_for_nothing();
    };
    for (std::uint64_t i = 0; !everything(); ++i) {
      REQUIRE_MESSAGE(i < 200'000, describe());
      if (chance(1)) drop_dead_letters();
      act();
    }
    (void)keep_steps();  // the last of them may be a dead letter
    for (std::size_t i = 0; i < log_.size(); ++i) {
      CAPTURE(i);
      if (log_[i].matches) CHECK((delivered_.contains(Position{i}) || given_up_.contains(Position{i})));
    }
    for (const auto& [position, letter] : queue_->state().dead_letters) CHECK_FALSE(letter.aggregate_id.empty());
  }

 private:
  struct Event {
    std::string aggregate_id;
    bool matches = true;
    std::size_t bytes = 0;
  };

  std::uint64_t below(std::uint64_t n) { return std::uniform_int_distribution<std::uint64_t>(0, n - 1)(random_); }
  bool chance(int percent) { return below(100) < static_cast<std::uint64_t>(percent); }

  void open() {
    DeliveryJournalOptions options;
    options.file_system = &disk_;
    options.clock = &clock_;
    options.folder = "/data/deliveries";
    options.store_id = Uuid{{5}};
    options.background = false;
    options.rewrite_bytes_min = 500 + below(5'000);
    auto opened = DeliveryJournal::open(options);
    REQUIRE_MESSAGE(opened, opened.error().describe());
    journal_ = std::move(opened).value();
    CHECK(journal_->notes().empty());
    const auto states = journal_->states();
    const auto state = states.find(kSubscription);
    DeliveryState begun;
    if (state != states.end()) begun = state->second;
    in_doubt_ = false;
    if (begun.generation < sought_.generation) {
      // The log knows where it was set to, though the journal does not.
      ++outcomes_.sought_again;
      REQUIRE(apply_step(begun, sought_));
      journal_->append(kSubscription, {sought_});
      in_doubt_ = true;
    }
    begin(std::move(begun));
  }

  /// Nothing of what was under way is of account any more.
  void begin(DeliveryState state) {
    queue_ = std::make_unique<DeliveryQueue>(settings_, std::move(state), random_());
    under_way_.clear();
    slow_.clear();
    leases_.clear();
    leased_.clear();
    letters_.clear();
    for (const auto& [position, letter] : queue_->state().dead_letters) letters_.insert(position);
  }

  void note_settings() {
    under_way_events_max_ = std::max(under_way_events_max_, settings_.in_flight_max * settings_.batch_events_max);
  }

  void crash() {
    ++outcomes_.crashes;
    if (chance(60)) disk_.cut_power();
    journal_.reset();
    disk_.power_is_cut() || chance(50) ? disk_.crash() : disk_.kill();
    open();
  }

  /// False: what was decided may not be attempted.
  bool keep_steps(bool checkpoint = false) {
    const auto steps = queue_->take_steps(checkpoint);
    note_steps(steps);
    if (queue_->state().settled.size() >= settings_.settled_max) {
      ++outcomes_.full;
      CHECK(queue_->stalled());
    }
    CHECK(queue_->state().settled.size() < settings_.settled_max + settings_.waiting_max + under_way_events_max_);
    if (!steps.empty()) {
      bool told = false;
      journal_->append(kSubscription, steps, [&](const Status& status) {
        in_doubt_ = !status;
        told = true;
      });
      REQUIRE(told);
      REQUIRE(journal_->states().at(kSubscription) == queue_->state());
    } else if (in_doubt_) {
      in_doubt_ = !journal_->flush();
    }
    return !in_doubt_;
  }

  void note_steps(const std::vector<DeliveryStep>& steps) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const auto* held = std::get_if<AggregateHeld>(&steps[i]);
      if (held != nullptr && is_under_way(held->aggregate_id)) ++outcomes_.slow;
      if (const auto* added = std::get_if<DeadLetterAdded>(&steps[i])) {
        const Position position = added->position;
        letters_.insert(position);
        // One that was tried once more stays what it is.
        const auto* settled = i + 1 < steps.size() ? std::get_if<BatchSettled>(&steps[i + 1]) : nullptr;
        if (settled == nullptr || settled->positions != std::vector{position}) continue;
        CHECK(settings_.on_dead_letter != OnDeadLetter::Stop);
        if (given_up_.insert(position).second) ++outcomes_.dead;
        parking_.erase(position);
        if (settings_.on_dead_letter == OnDeadLetter::Park) parking_.insert(position);
      } else if (const auto* removed = std::get_if<DeadLetterRemoved>(&steps[i])) {
        CHECK(letters_.erase(removed->position) == 1);
        parking_.erase(removed->position);
      }
    }
  }

  void act() {
    if (!lenient_ && chance(1)) disk_.cut_power_at_call(1 + below(20));
    if (!lenient_ && chance(2)) {
      const SimulatedFailure hows[] = {SimulatedFailure::Io, SimulatedFailure::ShortDiskFull};
      const SimulatedCall calls[] = {SimulatedCall::Write, SimulatedCall::Sync, SimulatedCall::Open,
                                     SimulatedCall::SyncDirectory};
      disk_.fail_call(calls[below(4)], 1 + below(5), hows[below(2)]);
    }
    switch (below(8)) {
      case 0:
      case 1:
        return read();
      case 2:
        return look();
      case 3:
      case 4:
        return take();
      case 5:
      case 6:
        return finish();
      default:
        clock_.wall += static_cast<std::int64_t>(below(2'000'000));
        if (queue_->stopped() && chance(30)) queue_->resume();
        if (chance(10)) redrive();
        if (chance(5)) drop_one();
        if (!lenient_) {
          if (chance(5)) is_paused_ = !is_paused_;
          if (is_paused_ && chance(20)) seek();
          if (chance(5)) change();
        }
        (void)keep_steps(chance(20));
    }
  }

  void read() {
    for (std::uint64_t n = 1 + below(30); n > 0 && queue_->room() > 0; --n) {
      const Position position = queue_->read_end();
      if (position.value() >= log_.size()) return;
      const Event& event = log_[position.value()];
      if (event.matches) {
        queue_->offer(position, clock_.now(), event.aggregate_id, event.bytes);
      } else {
        queue_->examined(position.next(), clock_.now());
      }
    }
  }

  void look() {
    const auto look = queue_->next_look(clock_.now());
    if (!look) return;
    const Position until = chance(50) ? queue_->read_end() : Position{log_.size()};
    std::optional<Position> found;
    for (std::uint64_t i = look->from.value(); i < until.value() && !found; ++i) {
      if (log_[i].matches && log_[i].aggregate_id == look->aggregate_id) found = Position{i};
    }
    if (chance(20)) read();  // the front goes on meanwhile
    queue_->looked(*look, until, found);
  }

  /// Everything begins anew there; the log is told before the journal is.
  void seek() {
    ++outcomes_.sought;
    (void)keep_steps();
    const Position to{below(log_.size() + 1)};
    DeliveryState state = journal_->state(kSubscription);
    sought_ = {state.generation + 1, to, state.last_batch};
    REQUIRE(apply_step(state, sought_));
    journal_->append(kSubscription, {sought_});
    in_doubt_ = true;
    sought_.last_batch = BatchNumber{0};
    begin(std::move(state));
    parking_.clear();
    delivered_.erase(delivered_.lower_bound(to), delivered_.end());
    given_up_.erase(given_up_.lower_bound(to), given_up_.end());
    for (std::uint64_t i = 0; i < to.value(); ++i) given_up_.insert(Position{i});  // nobody wants it
  }

  /// Other settings hold once nothing is under way.
  void change() {
    if (!under_way_.empty()) return;
    ++outcomes_.changed;
    (void)keep_steps();
    settings_.attempts_max = static_cast<std::uint32_t>(1 + below(5));
    if (chance(50)) settings_.batch_events_max = 1 + below(20);
    settings_.in_flight_max = 1 + below(8);
    if (!settings_.one_by_one) settings_.on_dead_letter = static_cast<OnDeadLetter>(below(3));
    note_settings();
    begin(queue_->state());
  }

  void take() {
    if (is_paused_) return;
    const std::size_t most = chance(30) ? 1 + below(settings_.batch_events_max) : settings_.batch_events_max;
    const auto attempt = queue_->take(clock_.now(), most);
    if (!attempt) return;
    if (!keep_steps()) {
      queue_->abandoned(attempt->number);
      return;
    }
    ++outcomes_.attempts;
    const auto set = sets_.emplace(attempt->number, attempt->positions);
    // That some were acknowledged alone may be lost in a crash: then they are in it again, and nothing else.
    std::vector<Position> others;
    for (const Position position : attempt->positions) {
      const auto& known = set.first->second;
      const bool again =
          delivered_.contains(position) && std::find(known.begin(), known.end(), position) == known.end();
      if (!again) others.push_back(position);
    }
    CHECK(set.first->second == others);
    set.first->second = attempt->positions;
    const bool redriven = queue_->state().batches.at(attempt->number).place == BatchPlace::Redrive;
    std::set<std::string> aggregates;
    for (const Position position : attempt->positions) {
      const Event& event = log_[position.value()];
      CHECK(event.matches);
      aggregates.insert(event.aggregate_id);
      if (redriven) continue;
      for (std::uint64_t earlier = 0; earlier < position.value(); ++earlier) {
        const Event& before = log_[earlier];
        if (!before.matches || before.aggregate_id != event.aggregate_id) continue;
        const bool done = delivered_.contains(Position{earlier}) || given_up_.contains(Position{earlier});
        const bool together = std::find(attempt->positions.begin(), attempt->positions.end(), Position{earlier}) !=
                              attempt->positions.end();
        CHECK_MESSAGE((done || together), earlier << " is left out before " << position.value());
        const bool passes = !together && parking_.contains(Position{earlier});
        CHECK_MESSAGE(!passes, position.value() << " passes " << earlier << ", which is parked");
      }
    }
    for (const auto& [number, other] : under_way_) {
      for (const Position position : other) CHECK_FALSE(aggregates.contains(log_[position.value()].aggregate_id));
    }
    under_way_.emplace(attempt->number, attempt->positions);
    CHECK(under_way_.size() <= settings_.in_flight_max);
    if (is_pulled_) return lease(*attempt);
    if (slow_.size() + 1 < settings_.in_flight_max && chance(10)) slow_.insert(attempt->number);
    if (settings_.one_by_one) CHECK(under_way_.size() == 1);
  }

  static Uuid event_at(Position position) {
    Uuid event;
    for (std::size_t i = 0; i < 8; ++i) event.bytes[i] = static_cast<std::uint8_t>(position.value() >> (8 * i));
    return event;
  }
  Timestamp lease_end() { return Timestamp{clock_.now().micros + 1 + static_cast<std::int64_t>(below(3'000'000))}; }

  void lease(const DeliveryQueue::Attempt& attempt) {
    std::vector<std::pair<Uuid, Position>> events;
    for (const Position position : attempt.positions) events.emplace_back(event_at(position), position);
    const Timestamp until = lease_end();
    leased_[leases_.grant(attempt.number, std::move(events), until)] = {attempt.positions, until};
  }

  /// Of those that are over the events come again, of the others none does.
  void end_leases() {
    std::size_t over = 0;
    std::set<std::string> others;
    for (const auto& [id, of] : leased_) {
      if (of.until <= clock_.now()) {
        over += of.left.size();
        ++outcomes_.leases_over;
      } else {
        others.insert(id);
      }
    }
    CHECK(leases_.expire(*queue_, clock_.now()) == over);
    look_at_leases();
    CHECK(leased_.size() == others.size());
    for (const std::string& id : others) CHECK(leased_.contains(id));
  }

  /// What is under way is what is leased.
  void look_at_leases() {
    under_way_.clear();
    std::set<Position> left;
    for (const auto& [number, batch] : queue_->state().batches) {
      if (!leases_.has(number)) continue;
      under_way_.emplace(number, batch.positions);
      // A number that was not attempted may be lost in a crash, and stands for nothing then.
      if (const auto set = sets_.find(number); set != sets_.end()) set->second = batch.positions;
      left.insert(batch.positions.begin(), batch.positions.end());
    }
    std::size_t events = 0;
    for (auto at = leased_.begin(); at != leased_.end();) {
      std::erase_if(at->second.left, [&](Position position) { return !left.contains(position); });
      events += at->second.left.size();
      at = at->second.left.empty() ? leased_.erase(at) : std::next(at);
    }
    CHECK(leases_.events() == events);
  }

  void finish_lease() {
    using Answer = api::PullLeases::Answer;
    end_leases();
    if (leased_.empty()) return;
    auto at = leased_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(below(leased_.size())));
    const std::string id = at->first;
    std::vector<Position> meant = at->second.left;
    std::optional<std::vector<Uuid>> events;
    if (!lenient_ && chance(50)) {
      // In order, or what is acknowledged first overtakes.
      meant.resize(1 + below(meant.size()));
      events.emplace();
      for (const Position position : meant) events->push_back(event_at(position));
    }
    switch (lenient_ ? 0 : below(6)) {
      case 0:
      case 1:
      case 2:
        REQUIRE(leases_.ack(*queue_, id, events, clock_.now()) == Answer::Done);
        for (const Position position : meant) accept(position);
        break;
      case 3: {
        const DeliveryFailure failure{.error = "nacked", .retry_after = std::chrono::milliseconds(below(3'000))};
        REQUIRE(leases_.nack(*queue_, id, events, failure, clock_.now()) == Answer::Done);
        break;
      }
      case 4:
        at->second.until = lease_end();
        REQUIRE(leases_.extend(id, at->second.until) == Answer::Done);
        ++outcomes_.leases_extended;
        break;
      default:
        return;  // it says nothing
    }
    look_at_leases();
    // Late, or from somebody who says it twice.
    if (!leased_.contains(id)) {
      CHECK(leases_.ack(*queue_, id, std::nullopt, clock_.now()) == Answer::Expired);
      CHECK(leases_.extend(id, lease_end()) == Answer::Expired);
    }
    (void)keep_steps();
  }

  bool is_under_way(const std::string& aggregate_id) const {
    for (const auto& [number, positions] : under_way_) {
      for (const Position position : positions) {
        if (log_[position.value()].aggregate_id == aggregate_id) return true;
      }
    }
    return false;
  }

  void accept(Position position) {
    parking_.erase(position);  // as one whose letter was lost in a crash
    ++(delivered_.insert(position).second ? outcomes_.delivered : outcomes_.again);
  }

  void finish() {
    if (is_pulled_) return finish_lease();
    if (under_way_.empty()) return;
    auto at = under_way_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(below(under_way_.size())));
    const auto [number, positions] = *at;
    if (slow_.contains(number) && !lenient_ && !chance(5)) return;
    slow_.erase(number);
    under_way_.erase(at);
    const Timestamp now = clock_.now();
    if (!lenient_ && !settings_.one_by_one && positions.size() > 1 && chance(30)) {
      finish_some(number, positions);
    } else if (lenient_ || chance(50)) {
      for (const Position position : positions) accept(position);
      queue_->delivered(number, {}, now);
    } else if (chance(20)) {
      std::vector<Position> refused;
      for (const Position position : positions) {
        if (chance(30)) {
          refused.push_back(position);
        } else {
          accept(position);
        }
      }
      queue_->delivered(number, refused, now);
    } else if (chance(20)) {
      for (const Position position : positions) accept(position);  // but the answer is lost
      queue_->failed(number, {.error = "timeout"}, now);
    } else {
      DeliveryFailure failure{.error = "status", .status = 500};
      if (chance(10)) failure.kind = static_cast<DeliveryFailure::Kind>(below(4));
      if (chance(20)) failure.retry_after = std::chrono::milliseconds(below(5'000));
      queue_->failed(number, failure, now);
    }
    (void)keep_steps();
    // Late, from somebody who says it twice: nothing happens.
    if (!under_way_.contains(number) && chance(10)) queue_->delivered(number, {}, now);
  }

  /// As somebody does who has fetched several events.
  void finish_some(BatchNumber number, const std::vector<Position>& positions) {
    std::vector<Position> some;
    std::vector<Position> others;
    for (const Position position : positions) (chance(40) ? some : others).push_back(position);
    std::optional<BatchNumber> left = number;
    if (chance(50)) {
      // In order, or what is acknowledged first overtakes.
      some.assign(positions.begin(), positions.begin() + static_cast<std::ptrdiff_t>(some.size()));
      others.assign(positions.begin() + static_cast<std::ptrdiff_t>(some.size()), positions.end());
      for (const Position position : some) accept(position);
      queue_->settled(number, some, clock_.now());
      if (others.empty()) left.reset();
      if (const auto set = sets_.find(number); set != sets_.end()) set->second = others;
    } else {
      left = queue_->failed(number, some, {.error = "nack", .retry_after = std::chrono::milliseconds(below(3'000))},
                            clock_.now());
      if (left) others = queue_->state().batches.at(*left).positions;
    }
    if (left) under_way_.emplace(*left, others);
  }

  void redrive() {
    const auto& letters = queue_->state().dead_letters;
    if (letters.empty()) return;
    auto letter = letters.begin();
    std::advance(letter, static_cast<std::ptrdiff_t>(below(letters.size())));
    if (queue_->redrive(letter->first)) ++outcomes_.redriven;
  }

  void drop_one() {
    const auto& letters = queue_->state().dead_letters;
    if (letters.empty()) return;
    auto letter = letters.begin();
    std::advance(letter, static_cast<std::ptrdiff_t>(below(letters.size())));
    const Position position = letter->first;
    if (queue_->drop(position)) ++outcomes_.dropped;
  }

  void drop_dead_letters() {
    const auto letters = queue_->state().dead_letters;
    for (const auto& [position, letter] : letters) (void)queue_->drop(position);
  }

  /// What it waits for.
  std::string describe() const {
    const DeliveryState& state = queue_->state();
    std::string text = "read to " + std::to_string(queue_->read_end().value()) + " of " + std::to_string(log_.size()) +
                       ", done to " + std::to_string(state.end.value()) + ", waiting " +
                       std::to_string(queue_->waiting()) + ", under way " + std::to_string(queue_->in_flight()) +
                       ", dead " + std::to_string(state.dead_letters.size()) + (queue_->stalled() ? ", stalled" : "") +
                       (queue_->stopped() ? ", stopped" : "");
    for (const auto& [number, batch] : state.batches) {
      text += "; batch " + std::to_string(number.value()) + " at " + std::to_string(batch.positions.front().value());
    }
    for (const auto& [aggregate, held] : state.held) {
      text += "; held " + aggregate + " from " + std::to_string(held.from.value()) + (held.parked ? " parked" : "");
    }
    return text;
  }

  bool waiting_for_nothing() const { return queue_->waiting() == 0 && queue_->state().held.empty(); }

  std::mt19937_64 random_;
  SimulatedFileSystem disk_;
  FakeClock clock_;
  Outcomes& outcomes_;
  DeliverySettings settings_;
  std::vector<Event> log_;
  std::unique_ptr<DeliveryJournal> journal_;
  std::unique_ptr<DeliveryQueue> queue_;
  std::map<BatchNumber, std::vector<Position>> under_way_;
  std::set<BatchNumber> slow_;                         ///< of those under way
  std::size_t under_way_events_max_ = 0;               ///< by all settings that there were
  std::map<BatchNumber, std::vector<Position>> sets_;  ///< that were attempted
  std::set<Position> delivered_;
  std::set<Position> given_up_;
  std::set<Position> letters_;  ///< dead letters that there are
  std::set<Position> parking_;  ///< of those, what nothing of its aggregate passes
  bool is_pulled_ = false;      ///< what is under way is leased to somebody
  struct Leased {
    std::vector<Position> left;
    Timestamp until;
  };
  api::PullLeases leases_;
  std::map<std::string, Leased> leased_;
  DeliveryBegun sought_{};  ///< the newest that the log knows
  bool is_paused_ = false;
  bool lenient_ = false;
  bool in_doubt_ = false;  ///< steps were appended that are not durable
};

}  // namespace

TEST_CASE("DeliveryCrash.EveryEventIsDeliveredInOrderOrADeadLetter") {
  const std::uint64_t single = number_from("STELE_CRASH_SEED", 0);
  const std::uint64_t first = single != 0 ? single : 1;
  const std::uint64_t seeds = single != 0 ? 1 : number_from("STELE_CRASH_SEEDS", 300);
  Outcomes outcomes;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    CAPTURE(seed);
    DeliveryTrial(seed, outcomes).run();
  }
  MESSAGE(seeds << " seeds, " << outcomes.crashes << " crashes, " << outcomes.attempts << " attempts, "
                << outcomes.delivered << " events delivered, " << outcomes.again << " again, " << outcomes.dead
                << " dead letters, " << outcomes.redriven << " redriven, " << outcomes.slow << " slow aggregates held, "
                << outcomes.full << " times as many settled as may be, " << outcomes.sought
                << " times set to another place (" << outcomes.sought_again << " of them again after a crash), "
                << outcomes.changed << " changes, " << outcomes.dropped << " dead letters dropped, "
                << outcomes.leases_over << " leases over and " << outcomes.leases_extended
                << " extended, 0 lost, 0 out of order");
  CHECK(outcomes.delivered > 0);
  if (seeds < 100) return;
  CHECK(outcomes.slow > 0);
  CHECK(outcomes.full > 0);
  CHECK(outcomes.sought_again > 0);
  CHECK(outcomes.changed > 0);
  CHECK(outcomes.dropped > 0);
  CHECK(outcomes.leases_over > 0);
  CHECK(outcomes.leases_extended > 0);
}
