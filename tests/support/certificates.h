#pragma once
// Certificates made on the spot, so that no test depends on files that expire.

#include <string>
#include <vector>

namespace stele::tests {

/// In PEM.
struct Identity {
  std::string certificate;  ///< and those between it and the root, if there are any
  std::string key;
};

struct CertificateWish {
  std::string common_name{};             ///< empty = no subject at all
  std::vector<std::string> alt_names{};  ///< "DNS:localhost", "IP:127.0.0.1", "URI:spiffe://…"
  int from_days = -1;                    ///< relative to now
  int until_days = 30;
  bool weak_key = false;  ///< RSA with 1024 bits
  bool authority = false;
};

/// A certificate authority. Failures of OpenSSL throw std::runtime_error.
class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name);
  /// An authority below `parent`; what it issues has it in its chain.
  TestAuthority(const std::string& name, const TestAuthority& parent);

  [[nodiscard]] const std::string& certificate() const { return self_.certificate; }
  [[nodiscard]] Identity issue(const CertificateWish& wish) const;
  /// For localhost, 127.0.0.1 and ::1.
  [[nodiscard]] Identity issue_server(const std::string& name = "server") const;
  /// A list that revokes these, in PEM.
  [[nodiscard]] std::string revoke(const std::vector<Identity>& revoked) const;

 private:
  Identity self_;
  std::string chain_;
};

/// The key behind a passphrase.
[[nodiscard]] std::string with_passphrase(const Identity& identity);

/// Writes a file for its owner alone.
void write_private(const std::string& path, const std::string& content);

}  // namespace stele::tests
