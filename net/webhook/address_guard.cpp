#include "net/webhook/address_guard.h"

#include <fmt/core.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <memory>
#include <span>

namespace stele::net {

using boost::asio::ip::address;
using boost::asio::ip::address_v4;
using boost::asio::ip::address_v6;

namespace {

bool same_prefix(std::span<const unsigned char> a, std::span<const unsigned char> b, unsigned bits) {
  if (!std::equal(a.begin(), a.begin() + bits / 8, b.begin())) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - rest)) == 0;
}

bool in_v6(const address_v6::bytes_type& bytes, const char* base, unsigned bits) {
  return same_prefix(bytes, boost::asio::ip::make_address_v6(base).to_bytes(), bits);
}

address_v4 v4_at(const address_v6::bytes_type& bytes, std::size_t from) {
  return address_v4(address_v4::bytes_type{bytes[from], bytes[from + 1], bytes[from + 2], bytes[from + 3]});
}

struct KnownRange {
  const char* text;
  AddressKind kind;
};
struct ParsedRange {
  AddressRange range;
  AddressKind kind;
};

/// The first that contains an address counts. From IANA's registries of special-purpose addresses (RFC 6890 and what
/// came after it), and the addresses at which clouds tell a machine its secrets.
std::vector<ParsedRange> parse_known_ranges() {
  using enum AddressTier;
  static constexpr std::array known_ranges{
      KnownRange{"0.0.0.0/8", {Delicate, "an unspecified address"}},
      KnownRange{"127.0.0.0/8", {Delicate, "a loopback address"}},
      KnownRange{"169.254.169.254/32", {Delicate, "a metadata service"}},
      KnownRange{"169.254.0.0/16", {Delicate, "a link-local address"}},
      KnownRange{"100.100.100.200/32", {Delicate, "a metadata service"}},
      KnownRange{"192.0.0.192/32", {Delicate, "a metadata service"}},
      KnownRange{"168.63.129.16/32", {Delicate, "a metadata service"}},
      KnownRange{"224.0.0.0/4", {Delicate, "a multicast address"}},
      KnownRange{"255.255.255.255/32", {Delicate, "a broadcast address"}},
      KnownRange{"10.0.0.0/8", {Internal, "a private address"}},
      KnownRange{"172.16.0.0/12", {Internal, "a private address"}},
      KnownRange{"192.168.0.0/16", {Internal, "a private address"}},
      KnownRange{"100.64.0.0/10", {Internal, "an address of a carrier's network"}},
      KnownRange{"192.0.0.0/24", {Internal, "an address for special purposes"}},
      KnownRange{"192.0.2.0/24", {Internal, "an address for documentation"}},
      KnownRange{"198.51.100.0/24", {Internal, "an address for documentation"}},
      KnownRange{"203.0.113.0/24", {Internal, "an address for documentation"}},
      KnownRange{"192.88.99.0/24", {Internal, "an address for special purposes"}},
      KnownRange{"198.18.0.0/15", {Internal, "an address for benchmarks"}},
      KnownRange{"240.0.0.0/4", {Internal, "a reserved address"}},

      KnownRange{"::/128", {Delicate, "an unspecified address"}},
      KnownRange{"::1/128", {Delicate, "a loopback address"}},
      KnownRange{"fe80::/10", {Delicate, "a link-local address"}},
      KnownRange{"ff00::/8", {Delicate, "a multicast address"}},
      KnownRange{"fd00:ec2::254/128", {Delicate, "a metadata service"}},
      KnownRange{"fd20:ce::254/128", {Delicate, "a metadata service"}},
      KnownRange{"fc00::/7", {Internal, "a private address"}},
      KnownRange{"fec0::/10", {Internal, "a site-local address"}},
      KnownRange{"2001:db8::/32", {Internal, "an address for documentation"}},
      KnownRange{"3fff::/20", {Internal, "an address for documentation"}},
      KnownRange{"2001::/23", {Internal, "an address for special purposes"}},
      KnownRange{"2000::/3", {Public, ""}},
      KnownRange{"::/0", {Internal, "a reserved address"}},
  };
  std::vector<ParsedRange> parsed;
  for (const KnownRange& known : known_ranges) parsed.push_back({AddressRange::parse(known.text).value(), known.kind});
  return parsed;
}

address without_bits_behind(const address& base, unsigned prefix) {
  const auto clear = [prefix](auto bytes) {
    for (unsigned bit = prefix; bit < bytes.size() * 8; ++bit) {
      bytes[bit / 8] = static_cast<unsigned char>(bytes[bit / 8] & ~(0x80U >> (bit % 8)));
    }
    return bytes;
  };
  if (base.is_v4()) return address_v4(clear(base.to_v4().to_bytes()));
  return address_v6(clear(base.to_v6().to_bytes()));
}

}  // namespace

Result<AddressRange> AddressRange::parse(std::string_view text) {
  const auto refuse = [text](const char* why) {
    return Error{ErrorKind::InvalidArgument, fmt::format("'{}' {}", text, why)};
  };
  const std::size_t slash = text.find('/');
  boost::system::error_code ec;
  AddressRange range{boost::asio::ip::make_address(std::string(text.substr(0, slash)), ec), 0};
  if (ec || text.find('%') != std::string_view::npos) {
    return refuse("is not a range of addresses; write it like 10.0.0.0/8 or fd00::/8");
  }
  const unsigned bits = range.base.is_v4() ? 32 : 128;
  range.prefix = bits;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), range.prefix);
    if (error != std::errc{} || end != digits.data() + digits.size() || range.prefix > bits) {
      return refuse(bits == 32 ? "must have 0 to 32 behind the slash" : "must have 0 to 128 behind the slash");
    }
  }
  if (without_bits_behind(range.base, range.prefix) != range.base) {
    return refuse("has bits behind its prefix; write the first address of the range");
  }
  if (range.base.is_v6() && judged_address(range.base).is_v4()) {
    return refuse("stands for IPv4 addresses; write those");
  }
  return range;
}

bool AddressRange::contains(const address& candidate) const {
  if (candidate.is_v4() != base.is_v4()) return false;
  if (base.is_v4()) return same_prefix(base.to_v4().to_bytes(), candidate.to_v4().to_bytes(), prefix);
  return same_prefix(base.to_v6().to_bytes(), candidate.to_v6().to_bytes(), prefix);
}

address judged_address(const address& given) {
  if (given.is_v4()) return given;
  const address_v6::bytes_type bytes = given.to_v6().to_bytes();
  if (in_v6(bytes, "::ffff:0:0", 96) || in_v6(bytes, "64:ff9b::", 96)) return v4_at(bytes, 12);
  if (in_v6(bytes, "2002::", 16)) return v4_at(bytes, 2);
  // IPv4-compatible, but for :: and ::1, which have a meaning of their own.
  if (in_v6(bytes, "::", 96) && !in_v6(bytes, "::", 127)) return v4_at(bytes, 12);
  return address_v6(bytes);
}

AddressKind kind_of(const address& judged) {
  static const std::vector<ParsedRange> known_ranges = parse_known_ranges();
  for (const ParsedRange& known : known_ranges) {
    if (known.range.contains(judged)) return known.kind;
  }
  return {};
}

std::vector<address> interface_addresses() {
  std::vector<address> found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return found;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr) continue;
    if (at->ifa_addr->sa_family == AF_INET) {
      const auto* const v4 = reinterpret_cast<const sockaddr_in*>(at->ifa_addr);
      found.emplace_back(address_v4(ntohl(v4->sin_addr.s_addr)));
    } else if (at->ifa_addr->sa_family == AF_INET6) {
      const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(at->ifa_addr);
      address_v6::bytes_type bytes;
      std::copy_n(v6->sin6_addr.s6_addr, bytes.size(), bytes.begin());
      found.emplace_back(address_v6(bytes));
    }
  }
  return found;
}

std::string AddressGuard::objection(const boost::asio::ip::tcp::endpoint& endpoint,
                                    const std::vector<address>& own) const {
  using enum AddressTier;
  if (is_open) return {};
  const address judged = judged_address(endpoint.address());
  AddressKind kind = kind_of(judged);
  const bool is_own =
      judged.is_loopback() || judged.is_unspecified() ||
      std::any_of(own.begin(), own.end(), [&](const address& one) { return judged_address(one) == judged; });
  if (is_own && std::find(own_ports.begin(), own_ports.end(), endpoint.port()) != own_ports.end()) {
    return fmt::format("{} port {} is this server itself", judged.to_string(), endpoint.port());
  }
  if (is_own && kind.tier != Delicate) kind = {Delicate, "an address of this machine"};
  if (kind.tier == Public) return {};
  const bool is_allowed = std::any_of(allowed.begin(), allowed.end(), [&](const AddressRange& range) {
    return range.contains(judged) && (kind.tier == Internal || range.is_one_address());
  });
  if (is_allowed) return {};
  return kind.tier == Internal
             ? fmt::format("{} is {}; callbacks go there only if --allow-callback-net names its network",
                           judged.to_string(), kind.name)
             : fmt::format("{} is {}; callbacks go there only if --allow-callback-net names exactly this address",
                           judged.to_string(), kind.name);
}

}  // namespace stele::net
