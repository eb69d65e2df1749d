#pragma once
// UUIDs (RFC 9562): text form, version 7 generation.

#include <optional>
#include <string>
#include <string_view>

#include "engine/base/clock.h"
#include "engine/base/ids.h"

namespace stele {

/// Fills with bytes of the operating system's cryptographic generator (buffered per thread).
void random_bytes(void* to, std::size_t size);

/// A new version 7 UUID: 48 bits of Unix milliseconds, then random bits. Any thread.
[[nodiscard]] Uuid make_uuid_v7(const Clock& clock);

/// Parses 8-4-4-4-12 hex digits of either case; nothing else.
[[nodiscard]] std::optional<Uuid> parse_uuid(std::string_view text);

/// Lower-case 8-4-4-4-12 form.
[[nodiscard]] std::string to_string(const Uuid& uuid);
/// The same into a buffer of exactly 36 characters, without a terminator.
void write_uuid(const Uuid& uuid, char* to);

/// The UUID if `text` is exactly what to_string() gives for it, so that its 16 bytes can stand for the text.
[[nodiscard]] std::optional<Uuid> parse_canonical_uuid(std::string_view text);

}  // namespace stele
