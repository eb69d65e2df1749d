#pragma once
// The flags that filter events, for commands that list or follow them.

#include <string>
#include <string_view>
#include <vector>

#include "tools/cli/command_line.h"

namespace stele::tools {

inline constexpr const char* kFiltersGroup = "Filters (all of them must match)";

/// Path and query of a request.
class EventTarget {
 public:
  explicit EventTarget(std::string_view path) : text_(path) {}
  /// Nothing if the value is empty.
  void add(std::string_view name, std::string_view value);
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  char separator_ = '?';
};

struct EventFilterFlags {
  std::string aggregate, aggregate_type, user, correlation_id, to, occurred_from, occurred_to, from_sequence,
      to_sequence;
  std::vector<std::string> event_types, tags;
  std::string schema_version;
  bool include_system = false;

  /// `*this` must outlive the parsing. `--from` is left to the command.
  void declare(CommandLine& app);
  void add_to(EventTarget& target) const;
};

}  // namespace stele::tools
