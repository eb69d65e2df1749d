#pragma once
// Which host a request may be addressed to. A page in a browser on this machine reaches a server on loopback under its
// own name as soon as that name is made to resolve to loopback (DNS rebinding), and then counts as being of the same
// origin. What such a page cannot do is send another Host than its name.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stele::api {

/// Thread-safe.
class HostGuard {
 public:
  /// Lets everything in.
  HostGuard() = default;
  /// Lets in what is addressed to an address, to `localhost` or a name below it (RFC 6761: no resolver asks for those),
  /// or to one of `names` (as from host_name()).
  explicit HostGuard(std::vector<std::string> names) : active_(true), names_(std::move(names)) {}

  /// `authority`: a host and perhaps a port, as in the field Host. Empty (HTTP/1.0 without Host, as probes send it and
  /// no browser) is let in.
  [[nodiscard]] bool admits(std::string_view authority) const;

 private:
  bool active_ = false;
  std::vector<std::string> names_;
};

/// A host's name in the form in which names are compared: lower case, without a dot at the end. None if it can be no
/// name: it has a port, a scheme, or characters that no name has.
[[nodiscard]] std::optional<std::string> host_name(std::string_view text);

}  // namespace stele::api
