#pragma once
// Which addresses callbacks may go to. Whoever subscribes chooses a URL, and the server must not become their way into
// the networks it stands in. Judged after the name was looked up, at every connect, and the connection goes to the very
// address that was judged.

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace stele::net {

/// A range of addresses: those that share their first `prefix` bits with `base`.
struct AddressRange {
  boost::asio::ip::address base;
  unsigned prefix = 0;

  /// `10.0.0.0/8`, `fd00::/8`, or an address alone, which is a range of one. The bits behind the prefix must be zero.
  /// InvalidArgument with words for whoever wrote it. IPv4 is to be written as IPv4, since it is judged as that.
  [[nodiscard]] static Result<AddressRange> parse(std::string_view text);

  [[nodiscard]] bool contains(const boost::asio::ip::address& address) const;
  [[nodiscard]] bool is_one_address() const { return prefix == (base.is_v4() ? 32U : 128U); }
};

enum class AddressTier {
  Public,    ///< anybody may name it
  Internal,  ///< only in a range that the operator allows: private networks, and what is not on the internet
  Delicate,  ///< only if the operator allows exactly this address: this machine, its neighbours, metadata services,
             ///< groups
};
struct AddressKind {
  AddressTier tier = AddressTier::Public;
  std::string_view name{};  ///< "a loopback address"; static storage
};

/// The IPv4 address that an IPv6 address stands for (mapped, compatible, NAT64, 6to4), else the address itself, without
/// a zone.
[[nodiscard]] boost::asio::ip::address judged_address(const boost::asio::ip::address& address);
/// Of a judged_address().
[[nodiscard]] AddressKind kind_of(const boost::asio::ip::address& address);

/// All addresses that this machine's interfaces have now.
[[nodiscard]] std::vector<boost::asio::ip::address> interface_addresses();

/// What the operator has decided. Immutable.
struct AddressGuard {
  std::vector<AddressRange> allowed{};     ///< --allow-callback-net
  std::vector<std::uint16_t> own_ports{};  ///< that the server listens on
  bool is_open = false;                    ///< nothing is refused: for receivers that the operator has named himself

  /// Why nothing may connect to `endpoint`, in words; empty if it may. `own`: addresses of this machine. On those the
  /// server's ports are refused whatever is allowed, and the rest is Delicate.
  [[nodiscard]] std::string objection(const boost::asio::ip::tcp::endpoint& endpoint,
                                      const std::vector<boost::asio::ip::address>& own) const;
};

}  // namespace stele::net
