#include "api/endpoint/response_compression.h"

#include <algorithm>
#include <new>
#include <utility>

#include "api/endpoint/compressed_source.h"
#include "api/http/compressor.h"
#include "api/http/negotiation.h"

namespace stele::api {

namespace {

bool is_compressible(std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  return type.starts_with("text/") || body_format(type) || type.ends_with("+json");
}

}  // namespace

void compress_response(const Request& request, Response& response, bool may_take_time) {
  // A compressor would hold back what is to arrive at once, and its memory for as long as the client stays.
  if (response.pushed != nullptr || response.upgraded != nullptr) return;
  const std::string_view accept = request.header("Accept-Encoding");
  const bool worth_it = (response.source != nullptr || response.body.size() >= kCompressedBytesMin) &&
                        is_compressible(response.content_type);
  if (!worth_it && (accept.empty() || response.body.empty())) return;
  const auto [coding, identity] = accepted_coding(accept);
  // Who rules out the plain form gets what is asked for, however small.
  if (!worth_it && identity) return;
  response.headers.emplace_back("Vary", "Accept-Encoding");
  if (coding == ContentCoding::Identity) return;
  if (response.source != nullptr) {
    auto wrapped = CompressedSource::wrap(response.source, coding);
    if (wrapped == nullptr) return;
    response.source = std::move(wrapped);
  } else {
    if (!may_take_time && response.body.size() > kCompressedOnIoThreadMax) return;
    std::string compressed;
    try {
      compressed = compress(coding, response.body);
    } catch (const std::bad_alloc&) {
      return;  // the answer as it is needs no more memory
    }
    if (identity && compressed.size() >= response.body.size()) return;
    response.body = std::move(compressed);
  }
  response.headers.emplace_back("Content-Encoding", coding_name(coding));
}

}  // namespace stele::api
