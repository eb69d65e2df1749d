#pragma once

#include <cstddef>
#include <cstdint>

namespace stele::net {

/// What one client may cost. Times in milliseconds.
struct HttpLimits {
  std::size_t header_bytes_max = 16 * 1024;              ///< request line and fields: 414 or 431
  std::size_t fields_max = 100;                          ///< header fields: 431
  std::size_t body_bytes_max = (16 * 1024 + 64) * 1024;  ///< 413, before reading where the length is announced
  std::uint64_t bodies_bytes_max = 512ULL
                                   << 20;  ///< bodies and large answers in memory, over all connections: 503 beyond
  std::size_t connections_max = 10'000;    ///< 503 and close beyond
  std::size_t connections_per_address_max = 0;  ///< 503 and close beyond; 0 = half of all, no limit on loopback
  std::uint64_t requests_per_connection_max = 1'000'000;  ///< the last one is answered with Connection: close

  std::int64_t header_ms = 10'000;         ///< from the first byte (or the accept) to the end of the header: 408. As
                                           ///< long again for a TLS handshake before it: closed silently
  std::int64_t idle_ms = 60'000;           ///< between requests of a connection: closed silently
  std::int64_t body_grace_ms = 10'000;     ///< a body may always take this long …
  std::uint64_t body_rate_min = 4 * 1024;  ///< … and longer as long as it arrives at this many bytes a second …
  std::int64_t body_ms = 300'000;          ///< … but never longer than this: 408
  std::int64_t request_ms = 360'000;       ///< from the first byte to the start of the answer: closed
  std::int64_t write_ms = 30'000;          ///< a reader must take each 64 KiB of an answer in this time: closed
  std::int64_t linger_ms = 2'000;          ///< how long what the client still sends is read and dropped before closing
  std::int64_t sweep_ms = 250;             ///< deadlines are looked at this often
};

}  // namespace stele::net
