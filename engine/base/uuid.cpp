#include "engine/base/uuid.h"

#include <openssl/rand.h>

#include <algorithm>
#include <cstring>

#include "engine/base/check.h"

namespace stele {
namespace {

// One RAND_bytes call costs about as much as the 500 bytes it can return, so each thread draws a block at a time.
// The block is not fork-safe: a child that goes on without exec would repeat its parent's bytes. Stele never does that.
struct RandomBlock {
  std::array<unsigned char, 1024> bytes;
  std::size_t used = sizeof bytes;
};
thread_local RandomBlock random_block;

void refill(void* to, std::size_t size) {
  // Without the system's generator no id or salt is safe, and there is nothing sensible to go on with.
  STELE_CHECK(RAND_bytes(static_cast<unsigned char*>(to), static_cast<int>(size)) == 1);
}

constexpr std::array<std::size_t, 16> kHexPlaces = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
constexpr std::size_t kTextLength = 36;

constexpr bool is_dash_place(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void random_bytes(void* to, std::size_t size) {
  RandomBlock& block = random_block;
  auto* out = static_cast<unsigned char*>(to);
  while (size > 0) {
    if (block.used == block.bytes.size()) {
      refill(block.bytes.data(), block.bytes.size());
      block.used = 0;
    }
    const std::size_t n = std::min(size, block.bytes.size() - block.used);
    unsigned char* const from = block.bytes.data() + block.used;
    std::memcpy(out, from, n);
    std::memset(from, 0, n);  // what was handed out may be a salt: keep no second copy of it
    block.used += n;
    out += n;
    size -= n;
  }
}

Uuid make_uuid_v7(const Clock& clock) {
  Uuid uuid;
  const std::int64_t millis = std::max<std::int64_t>(clock.now().micros / 1000, 0);
  for (std::size_t i = 0; i < 6; ++i) uuid.bytes[i] = static_cast<std::uint8_t>(millis >> (40 - 8 * i));
  random_bytes(uuid.bytes.data() + 6, 10);
  uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0F) | 0x70);
  uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3F) | 0x80);
  return uuid;
}

std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != kTextLength) return std::nullopt;
  for (const std::size_t i : {8, 13, 18, 23}) {
    if (text[i] != '-') return std::nullopt;
  }
  Uuid uuid;
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    const int high = nibble(text[kHexPlaces[i]]);
    const int low = nibble(text[kHexPlaces[i] + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    uuid.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return uuid;
}

void write_uuid(const Uuid& uuid, char* to) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    to[kHexPlaces[i]] = kDigits[uuid.bytes[i] >> 4];
    to[kHexPlaces[i] + 1] = kDigits[uuid.bytes[i] & 15];
  }
  to[8] = to[13] = to[18] = to[23] = '-';
}

std::string to_string(const Uuid& uuid) {
  std::string text(kTextLength, '-');
  write_uuid(uuid, text.data());
  return text;
}

bool is_canonical_uuid(std::string_view text) {
  if (text.size() != kTextLength) return false;
  for (std::size_t i = 0; i < kTextLength; ++i) {
    const char c = text[i];
    const bool good = is_dash_place(i) ? c == '-' : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (!good) return false;
  }
  return true;
}

}  // namespace stele
