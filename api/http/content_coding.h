#pragma once
// Content codings (RFC 9110, 8.4): Accept-Encoding and Content-Encoding.

#include <optional>
#include <string_view>

namespace stele::api {

enum class ContentCoding { Identity, Gzip, Zstd };

/// As it stands in Content-Encoding.
[[nodiscard]] std::string_view coding_name(ContentCoding coding);

struct AcceptedCoding {
  ContentCoding coding = ContentCoding::Identity;
  bool identity = true;  ///< an answer without a coding is acceptable as well
};

/// What an Accept-Encoding field asks for: the coding with the highest quality, of equals zstd before gzip before none.
/// A field that is absent or empty asks for none, and so does one that accepts nothing that exists here.
[[nodiscard]] AcceptedCoding accepted_coding(std::string_view accept_encoding);

/// The coding of a body with this Content-Encoding; none if it is not known here, or if there are several.
[[nodiscard]] std::optional<ContentCoding> body_coding(std::string_view content_encoding);

}  // namespace stele::api
