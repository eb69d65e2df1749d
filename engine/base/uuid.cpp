#include "engine/base/uuid.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <openssl/rand.h>
#include <sys/random.h>
#include <sys/types.h>

#include <algorithm>
#include <cerrno>
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
  auto* const bytes = static_cast<unsigned char*>(to);
  if (RAND_bytes(bytes, static_cast<int>(size)) == 1) return;
  // OpenSSL needs memory for each thread that asks it; the system itself does not.
  std::size_t filled = 0;
  while (filled < size) {
    const ssize_t n = ::getrandom(bytes + filled, size - filled, 0);
    // Without the system's generator no id or salt is safe, and there is nothing sensible to go on with.
    STELE_CHECK(n > 0 || errno == EINTR);
    if (n > 0) filled += static_cast<std::size_t>(n);
  }
}

constexpr std::size_t kTextLength = 36;

bool has_dashes(std::string_view text) {
  return text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-';
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

// Every append parses, compares and writes several ids.
#ifdef __SSE2__
std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != kTextLength || !has_dashes(text)) return std::nullopt;
  char hex[32];
  std::memcpy(hex, text.data(), 8);
  std::memcpy(hex + 8, text.data() + 9, 4);
  std::memcpy(hex + 12, text.data() + 14, 4);
  std::memcpy(hex + 16, text.data() + 19, 4);
  std::memcpy(hex + 20, text.data() + 24, 12);
  __m128i bad = _mm_setzero_si128();
  // Sixteen digits become eight 16-bit lanes of a byte each. Bytes from 0x80 on are negative, so no digits.
  const auto bytes_of = [&bad](const char* from) {
    const auto is_within = [](__m128i values, char first, char last) {
      return _mm_and_si128(_mm_cmpgt_epi8(values, _mm_set1_epi8(static_cast<char>(first - 1))),
                           _mm_cmpgt_epi8(_mm_set1_epi8(static_cast<char>(last + 1)), values));
    };
    const __m128i chars = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    const __m128i digit = is_within(chars, '0', '9');
    const __m128i letter = is_within(_mm_or_si128(chars, _mm_set1_epi8(0x20)), 'a', 'f');
    bad = _mm_or_si128(bad, _mm_cmpeq_epi8(_mm_or_si128(digit, letter), _mm_setzero_si128()));
    const __m128i values =
        _mm_add_epi8(_mm_and_si128(chars, _mm_set1_epi8(0x0F)), _mm_and_si128(letter, _mm_set1_epi8(9)));
    const __m128i high = _mm_slli_epi16(_mm_and_si128(values, _mm_set1_epi16(0x00FF)), 4);
    return _mm_or_si128(high, _mm_srli_epi16(values, 8));
  };
  const __m128i first = bytes_of(hex);
  const __m128i second = bytes_of(hex + 16);
  if (_mm_movemask_epi8(bad) != 0) return std::nullopt;
  Uuid uuid;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(uuid.bytes.data()), _mm_packus_epi16(first, second));
  return uuid;
}

void write_uuid(const Uuid& uuid, char* to) {
  // In halves, as it was probably written, and from registers: a load that the store before it does not cover waits
  // until that is in the cache.
  const auto half = [&uuid](std::size_t at) {
    return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(uuid.bytes.data() + at));
  };
  const __m128i bytes = _mm_unpacklo_epi64(half(0), half(8));
  const __m128i nibble = _mm_set1_epi8(0x0F);
  const __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble);
  const __m128i low = _mm_and_si128(bytes, nibble);
  const auto digits = [](__m128i values) {
    const __m128i letters = _mm_and_si128(_mm_cmpgt_epi8(values, _mm_set1_epi8(9)), _mm_set1_epi8('a' - '0' - 10));
    return _mm_add_epi8(_mm_add_epi8(values, _mm_set1_epi8('0')), letters);
  };
  const __m128i first = digits(_mm_unpacklo_epi8(high, low));
  const __m128i second = digits(_mm_unpackhi_epi8(high, low));
  const auto put8 = [to](std::size_t at, __m128i from) { _mm_storel_epi64(reinterpret_cast<__m128i*>(to + at), from); };
  const auto put4 = [to](std::size_t at, __m128i from) {
    const int four = _mm_cvtsi128_si32(from);
    std::memcpy(to + at, &four, sizeof four);
  };
  put8(0, first);
  put4(9, _mm_srli_si128(first, 8));
  put4(14, _mm_srli_si128(first, 12));
  put4(19, second);
  put8(24, _mm_srli_si128(second, 4));
  put4(32, _mm_srli_si128(second, 12));
  to[8] = to[13] = to[18] = to[23] = '-';
}
#else
namespace {

constexpr std::array<std::size_t, 16> kHexPlaces = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

constexpr int kNotHex = 0x100;
constexpr std::array<std::uint16_t, 256> kNibbles = [] {
  std::array<std::uint16_t, 256> table{};
  table.fill(kNotHex);
  for (std::uint16_t i = 0; i < 10; ++i) table['0' + i] = i;
  for (std::uint16_t i = 0; i < 6; ++i) table['a' + i] = table['A' + i] = static_cast<std::uint16_t>(10 + i);
  return table;
}();

int nibble(char c) { return kNibbles[static_cast<unsigned char>(c)]; }

}  // namespace

std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != kTextLength || !has_dashes(text)) return std::nullopt;
  Uuid uuid;
  int bad = 0;
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    const int high = nibble(text[kHexPlaces[i]]);
    const int low = nibble(text[kHexPlaces[i] + 1]);
    bad |= high | low;
    uuid.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  if (bad & kNotHex) return std::nullopt;
  return uuid;
}

void write_uuid(const Uuid& uuid, char* to) {
  static constexpr std::array<char, 512> kHexPairs = [] {
    constexpr char kDigits[] = "0123456789abcdef";
    std::array<char, 512> table{};
    for (std::size_t i = 0; i < 256; ++i) {
      table[2 * i] = kDigits[i >> 4];
      table[2 * i + 1] = kDigits[i & 15];
    }
    return table;
  }();
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    std::memcpy(to + kHexPlaces[i], kHexPairs.data() + 2 * uuid.bytes[i], 2);
  }
  to[8] = to[13] = to[18] = to[23] = '-';
}
#endif

std::string to_string(const Uuid& uuid) {
  std::string text(kTextLength, '-');
  write_uuid(uuid, text.data());
  return text;
}

std::optional<Uuid> parse_canonical_uuid(std::string_view text) {
  const auto uuid = parse_uuid(text);
  if (!uuid) return std::nullopt;
  std::array<char, kTextLength> canonical;
  write_uuid(*uuid, canonical.data());
  if (std::memcmp(text.data(), canonical.data(), kTextLength) != 0) return std::nullopt;
  return uuid;
}

}  // namespace stele
