#include "net/http/response_head.h"

#include <doctest/doctest.h>

#include <string>

namespace stele::net {

TEST_CASE("ResponseHead.HasWhatHttpDemandsAndNoInjectedLines") {
  api::Response response;
  response.status = 201;
  response.headers.emplace_back("Location", "/v1/events/1\r\nSet-Cookie: a");
  Framing framing;
  framing.content_length = 12;
  framing.close = true;
  std::string head;
  append_response_head(head, response, framing, http_date(784111777));
  CHECK(head ==
        "HTTP/1.1 201 Created\r\nServer: stele\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        "Content-Type: application/json\r\nContent-Length: 12\r\nConnection: close\r\n"
        "Location: /v1/events/1  Set-Cookie: a\r\n\r\n");
  CHECK_FALSE(may_have_body(204));
  CHECK_FALSE(may_have_body(304));
  CHECK(may_have_body(200));
}

}  // namespace stele::net
