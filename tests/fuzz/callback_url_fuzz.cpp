// The URL of a receiver, as somebody wrote it.

#include "net/webhook/callback_url.h"

#include "engine/base/check.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::net {
namespace {

std::vector<std::string> callback_url_seeds() {
  return {"https://example.com/hook?a=1&b=%2F",
          "http://127.0.0.1:8080/",
          "http://[::ffff:127.0.0.1]:1/x",
          "https://EXAMPLE.com",
          "http://0x7f.1/",
          "http://2130706433/",
          "http://user:password@example.com/",
          "https://example.com:443/#fragment",
          "http://example.com:65536/",
          "https://[fe80::1%25eth0]/",
          "https://b\xC3\xBC"
          "cher.example/"};
}

bool is_printable(std::string_view text) {
  return text.find_first_not_of(
             "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~") ==
         std::string_view::npos;
}

}  // namespace

FUZZ_TARGET(callback_url, callback_url_seeds) {
  const fuzz::Exact exact(input);
  const auto url = CallbackUrl::parse(exact.view());
  if (!url) {
    STELE_CHECK(!url.error().message.empty());
    return;
  }
  STELE_CHECK(input.size() <= callback_url_bytes_max);
  STELE_CHECK(url->port != 0 && !url->host.empty() && !url->authority.empty());
  STELE_CHECK(url->target.starts_with('/'));
  // What is sent has no white space and no line ends: neither in the target nor in the Host field.
  STELE_CHECK(is_printable(url->host) && is_printable(url->authority) && is_printable(url->target));
  STELE_CHECK(url->host.find_first_of("@/?#[]ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos);
  STELE_CHECK(url->target.find('#') == std::string::npos);
  // A host that a resolver would take for an address is one here, too.
  if (!url->address) {
    boost::system::error_code ec;
    static_cast<void>(boost::asio::ip::make_address(url->host, ec));
    STELE_CHECK(ec.failed());
  }
  // Put together again it is the same.
  const auto again = CallbackUrl::parse((url->tls ? "https://" : "http://") + url->authority + url->target);
  STELE_CHECK(again && again->host == url->host && again->port == url->port && again->target == url->target &&
              again->tls == url->tls && again->authority == url->authority && again->address == url->address);
}

}  // namespace stele::net
