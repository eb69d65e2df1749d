// The first bytes of a connection: request line and header fields.

#include "net/http/request_head.h"

#include "engine/base/check.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::net {
namespace {

constexpr HeadLimits kLimits{.bytes_max = 2048, .fields_max = 20};

std::vector<std::string> seeds() {
  return {"GET /v1/events?aggregateId=mission%2F1&limit=10 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: */*\r\n\r\n",
          "POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 12\r\n"
          "Idempotency-Key: \"k\"\r\nConnection: close\r\n\r\n{\"a\":1}",
          "POST /v1/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
          "OPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
          "GET http://a/healthz HTTP/1.1\r\nhost:a\r\n\r\n",
          "\x16\x03\x01\x02"};
}

bool within(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

}  // namespace

FUZZ_TARGET(request_head, seeds) {
  const fuzz::Exact exact(input);
  const std::string_view bytes = exact.view();
  std::size_t searched = 0;
  const std::size_t end = find_head_end(bytes, searched);
  STELE_CHECK(end <= bytes.size());
  std::size_t slowly = 0, found = 0;
  for (std::size_t size = 0; size <= bytes.size() && found == 0; ++size) {
    found = find_head_end(bytes.substr(0, size), slowly);
  }
  STELE_CHECK(found == end);  // byte by byte or at once
  (void)may_be_head(bytes);
  if (end == 0) {
    (void)head_too_large(bytes, kLimits);
    return;
  }
  const fuzz::Exact head_bytes(bytes.substr(0, end));
  RequestHead head;
  if (parse_head(head_bytes.view(), kLimits, head)) return;
  // What is served has one meaning.
  STELE_CHECK(!(head.chunked && head.content_length));
  STELE_CHECK(head.version == 10 || head.version == 11);
  STELE_CHECK(head.path == "*" || head.path.starts_with('/'));
  // A target without a path ("GET http://host HTTP/1.1") has a path that stands nowhere.
  STELE_CHECK(head.path == "/" || within(head.path, head_bytes.view()));
  STELE_CHECK(within(head.query, head_bytes.view()));
  STELE_CHECK(head.fields.size() <= kLimits.fields_max);
  for (const auto& field : head.fields) {
    STELE_CHECK(!field.name.empty() && within(field.name, head_bytes.view()) && within(field.value, head_bytes.view()));
    STELE_CHECK(field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
  }
  // A beginning of a good header was never taken for something else.
  for (std::size_t size = 0; size < end; ++size) STELE_CHECK(may_be_head(bytes.substr(0, size)));
}

}  // namespace stele::net
