#pragma once
// Whether and how an answer is compressed.

#include "api/http/http.h"

namespace stele::api {

/// Smaller bodies are sent as they are: they fit in one packet anyway.
inline constexpr std::size_t kCompressedBytesMin = 1024;
/// Larger ones are compressed on the read pool only.
inline constexpr std::size_t kCompressedOnIoThreadMax = 32U << 10;

/// Compresses `response` if the request asks for it and it is worth it, and adds Content-Encoding and Vary.
/// `may_take_time`: not on an I/O thread. A HEAD request gets the fields of its GET.
void compress_response(const Request& request, Response& response, bool may_take_time);

}  // namespace stele::api
