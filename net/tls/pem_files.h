#pragma once
// Certificates and keys in PEM, for both ends of TLS. Every error is InvalidArgument or of the operating system, and
// names the file. Texts that come from elsewhere have a name, which stands for the file's.

#include <openssl/ssl.h>

#include <string>

#include "engine/base/result.h"
#include "net/tls/openssl.h"

namespace stele::net {

/// Who may be able to read a file: a private key that others can read is none.
enum class Readers { Any, Owner };

/// The content of a regular file of at most 1 MiB.
[[nodiscard]] Result<std::string> read_pem_file(const std::string& path, Readers readers);
/// Borrows `content`.
[[nodiscard]] BioPointer pem_reader(const std::string& content);
[[nodiscard]] Error unusable_file(const std::string& file, std::string why);

/// Makes the first certificate in `path` the own one; those behind it are shown with it.
[[nodiscard]] Status use_certificates(SSL_CTX* context, const std::string& path);
/// The private key of the certificate in use, which came from `certificate`. One with a passphrase is refused: nobody
/// is asked for it.
[[nodiscard]] Status use_key(SSL_CTX* context, const std::string& path, Readers readers,
                             const std::string& certificate);

/// The same with texts.
[[nodiscard]] Status use_certificates_of(SSL_CTX* context, const std::string& text, const std::string& name);
[[nodiscard]] Status use_key_of(SSL_CTX* context, const std::string& text, const std::string& name,
                                const std::string& certificate);

/// Believes the authorities in `text`, beside those that are believed already.
[[nodiscard]] Status believe_authorities_of(SSL_CTX* context, const std::string& text, const std::string& name);

}  // namespace stele::net
