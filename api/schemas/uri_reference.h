#pragma once
// URIs (RFC 3986) and IRIs (RFC 3987): which texts are some, and what one means relative to another.

#include <string>
#include <string_view>

namespace stele::api {

/// The five parts of a reference, as written; borrows the text. Any text can be split.
struct UriParts {
  std::string_view scheme;     ///< without the colon
  std::string_view authority;  ///< without the slashes
  std::string_view path;
  std::string_view query;     ///< without the question mark
  std::string_view fragment;  ///< without the number sign
  bool has_scheme = false;
  bool has_authority = false;
  bool has_query = false;
  bool has_fragment = false;
};

[[nodiscard]] UriParts split_uri(std::string_view text);

enum class UriCharacters {
  Ascii,    ///< a URI
  Unicode,  ///< an IRI: also all that is not ASCII; the text must be UTF-8
};

/// Whether `text` is a reference, absolute or relative, by the grammar.
[[nodiscard]] bool is_uri_reference(std::string_view text, UriCharacters characters);
/// The same, with a scheme.
[[nodiscard]] bool is_uri(std::string_view text, UriCharacters characters);

/// `reference` relative to `base` (RFC 3986, 5.2), without its fragment. An empty base stands for a document without an
/// address.
[[nodiscard]] std::string resolve_uri(std::string_view base, std::string_view reference);

}  // namespace stele::api
