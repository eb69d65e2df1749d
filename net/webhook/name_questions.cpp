#include "net/webhook/name_questions.h"

#include <iterator>
#include <utility>

#include "engine/base/check.h"
#include "net/webhook/fair_share.h"

namespace stele::net {

bool NameQuestions::add(const NameQuestion& question, Clock::time_point now, Done& done) {
  if (waiting_ >= bounds_.waiting_max) forget_all_late(now);
  if (waiting_ >= bounds_.waiting_max) return false;
  Name& name = names_[question.host];
  if (!name.asked_by) {
    Owner& owner = owners_[question.owner];
    if (!owner.queued.contains(question.host)) {
      owner.queue.push_back(question.host);
      owner.queued.insert(question.host);
    }
  }
  name.waiters.push_back({question.deadline, std::move(done)});
  ++waiting_;
  return true;
}

std::optional<std::string> NameQuestions::next(Clock::time_point now) {
  // Each owner once, beginning behind the one whose turn was last.
  auto at = owners_.upper_bound(last_owner_);
  for (std::size_t left = owners_.size(); left > 0; --left) {
    if (at == owners_.end()) at = owners_.begin();
    const auto owner = at++;
    if (auto host = take(owner, now)) {
      last_owner_ = owner->first;
      return host;
    }
    if (owner->second.queue.empty() && owner->second.asked == 0) owners_.erase(owner);
  }
  return std::nullopt;
}

std::optional<std::string> NameQuestions::take(Owners::iterator owner, Clock::time_point now) {
  Owner& held = owner->second;
  for (; !held.queue.empty(); (void)pop(held)) {
    const auto found = names_.find(held.queue.front());
    if (found == names_.end() || found->second.asked_by) continue;
    forget_late(found->second, now);
    if (found->second.waiters.empty()) {
      names_.erase(found);
      continue;
    }
    if (held.asked >= fair_share(bounds_.asked_max, asked_ - held.asked, bounds_.owner_parts)) return std::nullopt;
    found->second.asked_by = owner->first;
    ++held.asked;
    ++asked_;
    return pop(held);
  }
  return std::nullopt;
}

std::string NameQuestions::pop(Owner& owner) {
  std::string host = std::move(owner.queue.front());
  owner.queue.pop_front();
  owner.queued.erase(host);
  return host;
}

std::vector<NameQuestions::Waiter> NameQuestions::answered(const std::string& host) {
  const auto found = names_.find(host);
  if (found == names_.end()) return {};
  STELE_CHECK(found->second.asked_by);
  const auto owner = owners_.find(*found->second.asked_by);
  STELE_CHECK(owner != owners_.end());
  --asked_;
  if (--owner->second.asked == 0 && owner->second.queue.empty()) owners_.erase(owner);
  std::vector<Waiter> told = std::move(found->second.waiters);
  waiting_ -= told.size();
  names_.erase(found);
  return told;
}

void NameQuestions::clear() {
  names_.clear();
  owners_.clear();
  waiting_ = asked_ = 0;
}

void NameQuestions::forget_late(Name& name, Clock::time_point now) {
  waiting_ -= std::erase_if(name.waiters, [&](const Waiter& waiter) { return waiter.deadline <= now; });
}

void NameQuestions::forget_all_late(Clock::time_point now) {
  for (auto at = names_.begin(); at != names_.end();) {
    forget_late(at->second, now);
    at = at->second.waiters.empty() && !at->second.asked_by ? names_.erase(at) : std::next(at);
  }
  for (auto& [name, owner] : owners_) {
    const auto is_gone = [&](const std::string& host) { return !names_.contains(host); };
    std::erase_if(owner.queue, is_gone);
    std::erase_if(owner.queued, is_gone);
  }
}

}  // namespace stele::net
