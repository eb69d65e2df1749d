#include "engine/base/base64.h"

#include <doctest/doctest.h>

using namespace stele;

TEST_CASE("Base64.KnownValues") {
  CHECK(base64_encode("") == "");
  CHECK(base64_encode("f") == "Zg==");
  CHECK(base64_encode("fo") == "Zm8=");
  CHECK(base64_encode("foobar") == "Zm9vYmFy");
  CHECK(base64_encode("\xff\xef") == "/+8=");
  CHECK(base64url_encode("\xff\xef") == "_-8");
  CHECK(base64url_decode("_-8") == "\xff\xef");
  CHECK(!base64url_decode("_-9"));  // unused bits set
  CHECK(!base64url_decode("_"));
  CHECK(!base64url_decode("Zg=="));
  CHECK(!base64url_decode("/+8"));
}

TEST_CASE("Base64.TheStandardOneIsReadOnlyAsItIsWritten") {
  for (const char* bytes : {"", "f", "fo", "foo", "foobar", "\xff\xef"})
    CHECK(base64_decode(base64_encode(bytes)) == bytes);
  for (const char* text : {"Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "_-8=", "Zg==Zg==", "Zm8=\n", "Zm 8", "="}) {
    CAPTURE(text);
    CHECK_FALSE(base64_decode(text));
  }
}
