#include "api/http/content_coding.h"

#include <algorithm>

#include "api/http/field_list.h"

namespace stele::api {

namespace {

/// x-gzip is an old name of gzip (RFC 9110, 8.4.1.3).
std::optional<ContentCoding> coding_of(std::string_view name) {
  if (same_token(name, "gzip") || same_token(name, "x-gzip")) return ContentCoding::Gzip;
  if (same_token(name, "zstd")) return ContentCoding::Zstd;
  if (same_token(name, "identity")) return ContentCoding::Identity;
  return std::nullopt;
}

}  // namespace

std::string_view coding_name(ContentCoding coding) {
  switch (coding) {
    case ContentCoding::Gzip:
      return "gzip";
    case ContentCoding::Zstd:
      return "zstd";
    case ContentCoding::Identity:
      break;
  }
  return "identity";
}

AcceptedCoding accepted_coding(std::string_view accept_encoding) {
  std::optional<int> gzip, zstd, identity, any;
  while (!accept_encoding.empty()) {
    std::string_view item = take_part(accept_encoding, ',');
    const std::string_view name = take_part(item, ';');
    const int q = quality_of(item);
    if (name == "*") {
      any = std::max(any.value_or(0), q);
    } else if (const auto coding = coding_of(name)) {
      auto& of = *coding == ContentCoding::Gzip ? gzip : *coding == ContentCoding::Zstd ? zstd : identity;
      of = std::max(of.value_or(0), q);
    }
  }
  const int gzip_quality = gzip.value_or(any.value_or(0));
  const int zstd_quality = zstd.value_or(any.value_or(0));
  // What is not named is acceptable, but wanted least.
  const bool identity_accepted = identity.value_or(any.value_or(1)) > 0;
  const int identity_quality = identity.value_or(0);
  const int best = std::max(gzip_quality, zstd_quality);
  if (best == 0 || (identity_accepted && identity_quality > best)) return {ContentCoding::Identity, true};
  return {zstd_quality == best ? ContentCoding::Zstd : ContentCoding::Gzip, identity_accepted};
}

std::optional<ContentCoding> body_coding(std::string_view content_encoding) {
  return content_encoding.empty() ? ContentCoding::Identity : coding_of(content_encoding);
}

}  // namespace stele::api
