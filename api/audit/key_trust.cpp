#include "api/audit/key_trust.h"

#include <algorithm>

namespace stele::api {

void KeyTrust::take(const RecordHeader& header, std::string_view data) {
  keys_.take(header, data);
  const std::vector<LogKey>& all = keys_.all();
  while (is_trusted_.size() < all.size()) {
    const LogKey& key = all[is_trusted_.size()];
    // Who has endorsed it was there before.
    const bool is_endorsed = std::any_of(key.endorsers.begin(), key.endorsers.end(),
                                         [&](std::size_t endorser) { return is_trusted_[endorser]; });
    is_trusted_.push_back(is_endorsed || (trusted_ ? key.verifier == *trusted_ : key.endorsed));
  }
}

std::vector<NoteVerifier> KeyTrust::keys_at(std::uint64_t size) const {
  if (!names_trusted()) return {*trusted_};
  std::vector<NoteVerifier> keys;
  const std::vector<LogKey>& all = keys_.all();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (is_trusted_[i] && all[i].signs_at(size)) keys.push_back(all[i].verifier);
  }
  return keys;
}

bool KeyTrust::names_trusted() const {
  return !trusted_ || std::find(is_trusted_.begin(), is_trusted_.end(), true) != is_trusted_.end();
}

}  // namespace stele::api
