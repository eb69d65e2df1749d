#include "api/audit/legal_holds.h"

#include <stdexcept>
#include <utility>

#include "api/endpoint/own_event_reader.h"
#include "api/endpoint/own_events.h"

namespace stele::api {

namespace {

constexpr std::string_view kHoldPrefix = "$hold/";
constexpr std::string_view kHoldType = "$hold";
constexpr std::string_view kHoldPlaced = "$HoldPlaced";
constexpr std::string_view kHoldReleased = "$HoldReleased";

}  // namespace

LegalHolds::LegalHolds(Store& store, RedactionGate& gate, const Clock& clock)
    : store_(store), gate_(gate), clock_(clock) {
  load();
}

void LegalHolds::load() {
  auto set = std::make_shared<Set>();
  const Status read = each_own_event(*store_.view(), std::string(kHoldPrefix), [&](const Record& record) {
    if (record.header().event_type == kHoldReleased) {
      set->erase(std::string(record.header().aggregate_id.substr(kHoldPrefix.size())));
    } else if (auto hold = parse_hold_event(record)) {
      std::string name = hold->name;
      set->insert_or_assign(std::move(name), std::make_shared<const LegalHold>(*std::move(hold)));
    }
  });
  if (!read) throw std::runtime_error("cannot read the store's own events: " + read.error().describe());
  replace(std::move(set));
}

void LegalHolds::replace(std::shared_ptr<const Set> set) {
  gate_.change([&] {
    const std::lock_guard lock(mutex_);
    set_ = std::move(set);
  });
}

std::variant<LegalHolds::Placed, Problem> LegalHolds::place(const std::string& name, HoldScope scope,
                                                            const Caller& caller, const std::string& correlation) {
  const std::lock_guard changing(changing_);
  auto set = std::make_shared<Set>(*all());
  const auto before = set->find(name);
  const bool is_new = before == set->end();
  if (!is_new && before->second->scope == scope) return Placed{before->second, false};
  if (is_new && set->size() >= kHoldsMax) {
    return Problem("too-many-holds", "There are at most " + std::to_string(kHoldsMax) + " legal holds.");
  }
  std::string data;
  JsonWriter json(data);
  json.begin_object().key("name").string(name);
  append_scope(json, scope);
  json.end_object();
  auto hold = std::make_shared<LegalHold>();
  auto stored =
      append_own_event(store_, own_event(own_aggregate_id(kHoldPrefix, name), std::string(kHoldType),
                                         std::string(kHoldPlaced), std::move(data), caller, correlation, clock_));
  if (auto* const problem = std::get_if<Problem>(&stored)) return std::move(*problem);
  const auto& place = std::get<OwnEventPlace>(stored);
  hold->name = name;
  hold->scope = std::move(scope);
  hold->position = place.position;
  hold->placed = place.time;
  hold->placed_by = std::string(caller.name());
  set->insert_or_assign(name, hold);
  replace(std::move(set));
  return Placed{std::move(hold), is_new};
}

std::variant<bool, Problem> LegalHolds::release(const std::string& name, const Caller& caller,
                                                const std::string& correlation) {
  const std::lock_guard changing(changing_);
  auto set = std::make_shared<Set>(*all());
  const auto found = set->find(name);
  if (found == set->end()) return false;
  set->erase(found);
  std::string data;
  JsonWriter(data).begin_object().key("name").string(name).end_object();
  auto stored =
      append_own_event(store_, own_event(own_aggregate_id(kHoldPrefix, name), std::string(kHoldType),
                                         std::string(kHoldReleased), std::move(data), caller, correlation, clock_));
  if (auto* const problem = std::get_if<Problem>(&stored)) return std::move(*problem);
  replace(std::move(set));
  return true;
}

std::shared_ptr<const LegalHolds::Set> LegalHolds::all() const {
  const std::lock_guard lock(mutex_);
  return set_;
}

}  // namespace stele::api
