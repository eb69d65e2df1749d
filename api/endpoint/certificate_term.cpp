#include "api/endpoint/certificate_term.h"

#include <algorithm>

#include "api/json/timestamp.h"

namespace stele::api {

namespace {

constexpr std::int64_t kWarnMicros = 14LL * 86'400 * 1'000'000;

std::string_view words_for(CertificateUse use) {
  switch (use) {
    case CertificateUse::Server:
      return "the server's certificate";
    case CertificateUse::ServerChain:
      return "a certificate between the server's and the root";
    case CertificateUse::ClientCa:
      return "the certificate of an authority of clients";
    case CertificateUse::ClientCrl:
      break;
  }
  return "a list of revoked client certificates";
}

}  // namespace

std::string_view name_of(CertificateUse use) {
  switch (use) {
    case CertificateUse::Server:
      return "server";
    case CertificateUse::ServerChain:
      return "server-chain";
    case CertificateUse::ClientCa:
      return "client-ca";
    case CertificateUse::ClientCrl:
      break;
  }
  return "client-crl";
}

std::vector<std::string> certificate_warnings(const std::vector<CertificateTerm>& terms, Timestamp now) {
  std::vector<std::string> warnings;
  for (const CertificateTerm& term : terms) {
    const auto warn = [&](std::string_view what, Timestamp when) {
      std::string text = "TLS: ";
      text += words_for(term.use);
      if (!term.name.empty()) text += ", " + term.name + ',';
      warnings.push_back(text.append(what) + format_timestamp(when));
    };
    const std::int64_t ahead = std::min(kWarnMicros, (term.until.micros - term.from.micros) / 3);
    if (now > term.until) {
      warn(" expired at ", term.until);
    } else if (now < term.from) {
      warn(" is not good before ", term.from);
    } else if (term.until.micros - now.micros < ahead) {
      warn(" expires at ", term.until);
    }
  }
  return warnings;
}

}  // namespace stele::api
