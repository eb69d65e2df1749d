#pragma once
// Where a server listens, as given on the command line.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stele::tools {

struct ListenAddress {
  std::string host;  ///< without brackets, in lower case
  std::uint16_t port = 0;

  /// 127.0.0.0/8, ::1 or a name of this machine (localhost): reachable from this machine only.
  [[nodiscard]] bool is_loopback() const;
  /// `scheme://host:port`, IPv6 in brackets.
  [[nodiscard]] std::string url(std::string_view scheme, std::uint16_t actual_port) const;
};

/// Why a server must not listen there, for people; empty if it may. Beyond loopback it needs both authentication and
/// TLS, or the operator's word that it shall do without (`insecure`).
[[nodiscard]] std::string refusal_to_listen(const ListenAddress& address, bool has_authentication, bool has_tls,
                                            bool insecure);

/// `127.0.0.1:8080`, `[::1]:0`, `localhost:8080`; none for anything else.
[[nodiscard]] std::optional<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace stele::tools
