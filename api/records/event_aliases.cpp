#include "api/records/event_aliases.h"

#include <algorithm>
#include <utility>

namespace stele::api {

const std::string* AliasTable::shown_name(std::string_view stored_name) const {
  const auto found = shown.find(stored_name);
  return found == shown.end() ? nullptr : &found->second;
}

void AliasTable::set(const std::string& stored_name, const std::string& shown_name) {
  remove(stored_name);
  shown.emplace(stored_name, shown_name);
  auto& names = stored[shown_name];
  names.insert(std::lower_bound(names.begin(), names.end(), stored_name), stored_name);
}

void AliasTable::remove(std::string_view stored_name) {
  const auto found = shown.find(stored_name);
  if (found == shown.end()) return;
  const auto names = stored.find(found->second);
  names->second.erase(std::lower_bound(names->second.begin(), names->second.end(), stored_name));
  if (names->second.empty()) stored.erase(names);
  shown.erase(found);
}

void AliasTable::widen(std::vector<std::string>& event_types) const {
  const std::size_t asked = event_types.size();
  for (std::size_t i = 0; i < asked; ++i) {
    const auto names = stored.find(event_types[i]);
    if (names == stored.end()) continue;
    for (const std::string& name : names->second) {
      if (std::find(event_types.begin(), event_types.end(), name) == event_types.end()) event_types.push_back(name);
    }
  }
}

void EventAliases::change(AliasTable to) {
  {
    const std::lock_guard lock(mutex_);
    now_ = to.shown.empty() ? nullptr : std::make_shared<const AliasTable>(std::move(to));
    changes_.fetch_add(1, std::memory_order_release);
  }
  if (told_) told_();
}

std::shared_ptr<const AliasTable> EventAliases::now() const {
  if (changes() == 0) return nullptr;
  const std::lock_guard lock(mutex_);
  return now_;
}

std::optional<std::string> EventAliases::shown_name(std::string_view stored_name) const {
  const auto table = now();
  const std::string* const name = table == nullptr ? nullptr : table->shown_name(stored_name);
  return name == nullptr ? std::nullopt : std::optional(*name);
}

void EventAliases::widen(std::vector<std::string>& event_types) const {
  if (event_types.empty()) return;
  if (const auto table = now()) table->widen(event_types);
}

}  // namespace stele::api
