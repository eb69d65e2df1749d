#pragma once
// How long what connections are secured with is good, as far as /readyz and /metrics tell of it. Where it comes from is
// net's business.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/ids.h"

namespace stele::api {

enum class CertificateUse : std::uint8_t {
  Server,
  ServerChain,  ///< between the server's and the root
  ClientCa,     ///< of an authority whose clients are let in
  ClientCrl,    ///< a list of revoked ones; past its end no client is let in
};

/// As the label of a metric.
[[nodiscard]] std::string_view name_of(CertificateUse use);

struct CertificateTerm {
  CertificateUse use = CertificateUse::Server;
  std::string name;  ///< whose it is, printable
  Timestamp from;
  Timestamp until;  ///< still good then
};

/// What is not good yet, not any more, or not much longer: less than fourteen days, or a third of its time if that is
/// shorter. The words stay the same until something else is to be said.
[[nodiscard]] std::vector<std::string> certificate_warnings(const std::vector<CertificateTerm>& terms, Timestamp now);

}  // namespace stele::api
