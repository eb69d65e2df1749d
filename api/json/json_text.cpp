#include "api/json/json_text.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "api/json/plain_text.h"

namespace stele::api {

void fail_to_agree() { throw std::logic_error("a body was understood in two ways"); }

void JsonCursor::skip_space() {
  while (at_ < end_ && is_json_space(*at_)) ++at_;
}

void JsonCursor::skip_string() { at_ = end_of_json_string(at_, end_); }

void JsonCursor::enter() {
  skip_space();
  if (at_ < end_) ++at_;
}

bool JsonCursor::next_member() {
  skip_space();
  if (at_ < end_ && *at_ == ',') {
    ++at_;
    skip_space();
  }
  if (at_ >= end_ || *at_ != '"') {
    if (at_ < end_) ++at_;
    return false;
  }
  skip_string();
  skip_space();
  if (at_ < end_) ++at_;  // the colon
  skip_space();
  return at_ < end_;
}

bool JsonCursor::next_element() {
  skip_space();
  if (at_ < end_ && *at_ == ',') {
    ++at_;
    skip_space();
  }
  if (at_ >= end_) return false;
  if (*at_ == ']') {
    ++at_;
    return false;
  }
  return true;
}

JsonSpan JsonCursor::value() {
  skip_space();
  const char* const begin = at_;
  if (at_ >= end_) return {};
  if (*at_ == '"') {
    skip_string();
    return {{begin, static_cast<std::size_t>(at_ - begin)}, 0};
  }
  if (*at_ != '{' && *at_ != '[') {
    while (at_ < end_ && *at_ != ',' && *at_ != '}' && *at_ != ']' && !is_json_space(*at_)) ++at_;
    return {{begin, static_cast<std::size_t>(at_ - begin)}, 0};
  }
  std::uint32_t open = 0;
  std::uint32_t deepest = 0;
  while (at_ < end_) {
    const char c = *at_;
    if (c == '"') {
      skip_string();
      continue;
    }
    ++at_;
    if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++open);
    } else if (c == '}' || c == ']') {
      if (--open == 0) break;
    }
  }
  return {{begin, static_cast<std::size_t>(at_ - begin)}, deepest};
}

void append_minified(std::string& to, std::string_view json) {
  const char* at = json.data();
  const char* const end = at + json.size();
  const char* from = at;
  while (at < end) {
    if (*at == '"') {
      at = end_of_json_string(at, end);
    } else if (is_json_space(*at)) {
      to.append(from, static_cast<std::size_t>(at - from));
      while (at < end && is_json_space(*at)) ++at;
      from = at;
    } else {
      ++at;
    }
  }
  at = std::min(at, end);
  to.append(from, static_cast<std::size_t>(at - from));
}

}  // namespace stele::api
