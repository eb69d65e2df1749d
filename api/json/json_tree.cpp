#include "api/json/json_tree.h"

#include <algorithm>
#include <array>

#include "api/json/json_string.h"
#include "api/json/json_text.h"
#include "api/json/plain_text.h"
#include "engine/base/keyed_hash.h"

namespace stele::api {

std::uint64_t JsonTree::hash_of(std::string_view token) {
  decoded_.clear();
  append_decoded_string(decoded_, token);
  return keyed_hash(decoded_);
}

void JsonTree::parse(std::string_view text, const Options& options) {
  if (text.size() >= std::numeric_limits<std::uint32_t>::max()) text = "null";
  text_ = text;
  nodes_.clear();
  open_.clear();
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* at = begin;
  const auto offset = [&](const char* place) { return static_cast<std::uint32_t>(place - begin); };

  while (at < end) {
    const char c = *at;
    if (is_json_space(c) || c == ',') {
      ++at;
      continue;
    }
    if (c == '}' || c == ']') {
      ++at;
      if (!open_.empty()) {
        close(open_.back(), offset(at));
        open_.pop_back();
      }
      if (open_.empty()) break;
      continue;
    }

    const bool member = !open_.empty() && nodes_[open_.back()].kind == Kind::Object;
    // Filled in place: to copy what has just been written would wait for it.
    const auto number = static_cast<std::uint32_t>(nodes_.size());
    Node& node = nodes_.emplace_back();
    if (member) {
      const char* const behind = end_of_json_string(at, end);
      node.name = offset(at);
      node.name_bytes = offset(behind) - node.name;
      const std::string_view token(at, node.name_bytes);
      const bool plain = token.size() >= 2 && token.find('\\') == std::string_view::npos;
      node.name_hash = plain ? keyed_hash(token.substr(1, token.size() - 2)) : hash_of(token);
      at = behind;
      while (at < end && (is_json_space(*at) || *at == ':')) ++at;
    }
    node.value = offset(at);
    node.end = number + 1;
    if (at == end) break;

    const bool container = *at == '{' || *at == '[';
    if (container && open_.size() < kDepthMax && number < options.nodes_max && (*at == '{' || options.arrays)) {
      node.kind = *at == '{' ? Kind::Object : Kind::Array;
      open_.push_back(number);
      ++at;
      continue;
    }
    if (container) {
      at += JsonCursor({at, static_cast<std::size_t>(end - at)}).value().text.size();
    } else if (*at == '"') {
      at = end_of_json_string(at, end);
    } else {
      ++at;
      while (at < end && *at != ',' && *at != '}' && *at != ']' && !is_json_space(*at)) ++at;
    }
    node.value_bytes = offset(at) - node.value;
    if (open_.empty()) break;
  }

  for (; !open_.empty(); open_.pop_back()) close(open_.back(), text.size());
  if (nodes_.empty()) nodes_.emplace_back().end = 1;
}

void JsonTree::close(std::uint32_t number, std::size_t end) {
  Node& node = nodes_[number];
  node.value_bytes = static_cast<std::uint32_t>(end) - node.value;
  node.end = static_cast<std::uint32_t>(nodes_.size());
  if (node.kind == Kind::Object) find_repeated(number);
}

void JsonTree::find_repeated(std::uint32_t object) {
  const std::uint32_t end = nodes_[object].end;
  // Most objects are small and repeat nothing, and then no two hashes fall on one of these bits.
  std::array<std::uint64_t, 8> seen{};
  bool suspicious = false;
  for (std::uint32_t child = object + 1; child < end && !suspicious; child = nodes_[child].end) {
    const std::uint64_t hash = nodes_[child].name_hash;
    std::uint64_t& word = seen[hash & 7];
    const std::uint64_t bit = std::uint64_t{1} << (hash >> 3 & 63);
    suspicious = (word & bit) != 0;
    word |= bit;
  }
  if (!suspicious) return;
  names_.clear();
  for (std::uint32_t child = object + 1; child < end; child = nodes_[child].end) {
    names_.push_back({nodes_[child].name_hash, child});
  }
  const auto same = [this](const Name& a, const Name& b) {
    return a.hash == b.hash && same_json_string(name(nodes_[a.node]), name(nodes_[b.node]));
  };
  constexpr std::size_t kFew = 16;
  if (names_.size() > kFew) {
    std::sort(names_.begin(), names_.end(),
              [](const Name& a, const Name& b) { return a.hash != b.hash ? a.hash < b.hash : a.node < b.node; });
    // Names of one hash are one name: nobody outside knows the seed. (The next one is enough.)
    for (std::size_t i = 0; i + 1 < names_.size(); ++i) {
      if (same(names_[i], names_[i + 1])) nodes_[names_[i].node].repeated = true;
    }
    return;
  }
  for (std::size_t i = 0; i < names_.size(); ++i) {
    for (std::size_t later = i + 1; later < names_.size(); ++later) {
      if (same(names_[i], names_[later])) {
        nodes_[names_[i].node].repeated = true;
        break;
      }
    }
  }
}

}  // namespace stele::api
