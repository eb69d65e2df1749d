#include "tools/client/problem.h"

#include <fmt/core.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace stele::tools {

namespace {

std::string text_of(const simdjson::dom::element& object, std::string_view name) {
  std::string_view text;
  return object[name].get_string().get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

}  // namespace

std::string Problem::describe() const {
  std::string line =
      slug.empty() ? fmt::format("{}: {}", status, detail) : fmt::format("{} {}: {}", status, slug, detail);
  bool any = false;
  for (const auto& member : errors) {
    const std::string text = (member.pointer.empty() ? "" : member.pointer + ": ") + member.detail;
    if (detail.find(text) != std::string::npos) continue;  // of several errors the first, of one the only one
    line += (std::exchange(any, true) ? "; " : " (") + text;
  }
  if (any) line += ')';
  return line;
}

Problem read_problem(const HttpResponse& response) {
  Problem problem;
  problem.status = response.status;
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(response.body).get(root) == simdjson::SUCCESS && root.is_object()) {
    const std::string type = text_of(root, "type");
    problem.slug = type.substr(type.rfind('/') + 1);
    problem.detail = text_of(root, "detail");
    if (problem.detail.empty()) problem.detail = text_of(root, "title");
    simdjson::dom::array errors;
    if (root["errors"].get_array().get(errors) == simdjson::SUCCESS) {
      for (const auto error : errors) problem.errors.push_back({text_of(error, "pointer"), text_of(error, "detail")});
    }
  }
  if (problem.detail.empty())
    problem.detail = response.body.substr(0, std::min<std::size_t>(response.body.find('\n'), 200));
  if (problem.detail.empty()) problem.detail = "no explanation";
  return problem;
}

std::optional<std::size_t> event_index_of(std::string_view pointer) {
  if (pointer.starts_with("/events/")) pointer.remove_prefix(7);
  if (!pointer.starts_with('/')) return std::nullopt;
  pointer.remove_prefix(1);
  const std::string_view digits = pointer.substr(0, pointer.find('/'));
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return index;
}

}  // namespace stele::tools
