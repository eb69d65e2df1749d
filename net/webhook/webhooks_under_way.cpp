#include "net/webhook/webhooks_under_way.h"

#include <algorithm>

#include "engine/base/check.h"
#include "net/webhook/fair_share.h"

namespace stele::net {

bool WebhooksUnderWay::has_room(const std::string& host, std::size_t bytes) const {
  const auto found = receivers_.find(host);
  const Count here = found == receivers_.end() ? Count{} : found->second;
  if (here.requests >= fair_share(bounds_.requests_max, all_.requests - here.requests, bounds_.receiver_parts)) {
    return false;
  }
  const std::size_t parts =
      here.requests == 0 ? std::min<std::size_t>(bounds_.receiver_parts, 2) : bounds_.receiver_parts;
  const std::size_t share = fair_share(bounds_.body_bytes_max, all_.bytes - here.bytes, parts);
  return here.bytes <= share && bytes <= share - here.bytes;
}

void WebhooksUnderWay::add(const std::string& host, std::size_t bytes) {
  Count& here = receivers_[host];
  for (Count* const count : {&here, &all_}) {
    ++count->requests;
    count->bytes += bytes;
  }
}

void WebhooksUnderWay::remove(const std::string& host, std::size_t bytes) {
  const auto found = receivers_.find(host);
  STELE_CHECK(found != receivers_.end());
  for (Count* const count : {&found->second, &all_}) {
    --count->requests;
    count->bytes -= bytes;
  }
  if (found->second.requests == 0) receivers_.erase(found);
}

}  // namespace stele::net
