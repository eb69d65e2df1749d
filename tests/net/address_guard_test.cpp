// Where callbacks may go, address by address.

#include "net/webhook/address_guard.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support/text.h"

namespace stele::tests {

using net::AddressGuard;
using net::AddressRange;
using net::AddressTier;

namespace {

boost::asio::ip::tcp::endpoint at(const char* address, std::uint16_t port = 443) {
  return {boost::asio::ip::make_address(address), port};
}

AddressGuard allowing(const std::vector<const char*>& ranges) {
  AddressGuard guard;
  for (const char* range : ranges) guard.allowed.push_back(AddressRange::parse(range).value());
  return guard;
}

}  // namespace

TEST_CASE("AddressGuard.KnowsEveryKindOfAddress") {
  using enum AddressTier;
  struct Case {
    const char* address;
    AddressTier tier;
    const char* judged = nullptr;  ///< if it is another
  };
  for (const Case& c : {
           // public
           Case{"1.1.1.1", Public},
           Case{"8.8.8.8", Public},
           Case{"9.255.255.255", Public},
           Case{"11.0.0.0", Public},
           Case{"126.255.255.255", Public},
           Case{"128.0.0.0", Public},
           Case{"100.63.255.255", Public},
           Case{"100.128.0.0", Public},
           Case{"169.253.255.255", Public},
           Case{"169.255.0.0", Public},
           Case{"172.15.255.255", Public},
           Case{"172.32.0.0", Public},
           Case{"192.0.1.0", Public},
           Case{"192.167.255.255", Public},
           Case{"192.169.0.0", Public},
           Case{"198.17.255.255", Public},
           Case{"198.20.0.0", Public},
           Case{"223.255.255.255", Public},
           Case{"2606:4700:4700::1111", Public},
           Case{"2a00:1450:4001::200e", Public},
           Case{"2001:4860:4860::8888", Public},
           // private networks and what is not on the internet
           Case{"10.0.0.0", Internal},
           Case{"10.255.255.255", Internal},
           Case{"172.16.0.1", Internal},
           Case{"172.31.255.255", Internal},
           Case{"192.168.0.1", Internal},
           Case{"192.168.255.255", Internal},
           Case{"100.64.0.0", Internal},
           Case{"100.127.255.255", Internal},
           Case{"192.0.0.1", Internal},
           Case{"192.0.2.1", Internal},
           Case{"198.51.100.7", Internal},
           Case{"203.0.113.9", Internal},
           Case{"198.18.0.0", Internal},
           Case{"198.19.255.255", Internal},
           Case{"192.88.99.1", Internal},
           Case{"240.0.0.1", Internal},
           Case{"255.255.255.254", Internal},
           Case{"fc00::1", Internal},
           Case{"fdff:ffff::1", Internal},
           Case{"fec0::1", Internal},
           Case{"2001:db8::1", Internal},
           Case{"3fff::1", Internal},
           Case{"2001::1", Internal},
           Case{"2001:20::1", Internal},
           Case{"100::1", Internal},
           Case{"4000::1", Internal},
           Case{"64:ff9b:1::7f00:1", Internal},
           // this machine, its neighbours, metadata, groups
           Case{"0.0.0.0", Delicate},
           Case{"0.1.2.3", Delicate},
           Case{"127.0.0.1", Delicate},
           Case{"127.255.255.255", Delicate},
           Case{"169.254.0.1", Delicate},
           Case{"169.254.169.254", Delicate},
           Case{"169.254.255.255", Delicate},
           Case{"100.100.100.200", Delicate},
           Case{"168.63.129.16", Delicate},
           Case{"192.0.0.192", Delicate},
           Case{"224.0.0.1", Delicate},
           Case{"239.255.255.255", Delicate},
           Case{"255.255.255.255", Delicate},
           Case{"::", Delicate},
           Case{"::1", Delicate},
           Case{"fe80::1", Delicate},
           Case{"febf::1", Delicate},
           Case{"ff02::1", Delicate},
           Case{"fd00:ec2::254", Delicate},
           // IPv4 in IPv6
           Case{"::ffff:127.0.0.1", Delicate, "127.0.0.1"},
           Case{"::ffff:169.254.169.254", Delicate, "169.254.169.254"},
           Case{"::ffff:10.1.2.3", Internal, "10.1.2.3"},
           Case{"::ffff:8.8.8.8", Public, "8.8.8.8"},
           Case{"64:ff9b::7f00:1", Delicate, "127.0.0.1"},
           Case{"64:ff9b::a01:203", Internal, "10.1.2.3"},
           Case{"64:ff9b::808:808", Public, "8.8.8.8"},
           Case{"2002:7f00:1::", Delicate, "127.0.0.1"},
           Case{"2002:c0a8:101::1", Internal, "192.168.1.1"},
           Case{"2002:808:808::1", Public, "8.8.8.8"},
           Case{"2002:a9fe:a9fe::", Delicate, "169.254.169.254"},
           Case{"::127.0.0.1", Delicate, "127.0.0.1"},
           Case{"::10.0.0.1", Internal, "10.0.0.1"},
           Case{"::2", Delicate, "0.0.0.2"},
       }) {
    CAPTURE(c.address);
    const auto judged = net::judged_address(boost::asio::ip::make_address(c.address));
    CHECK(judged.to_string() == (c.judged != nullptr ? c.judged : c.address));
    const net::AddressKind kind = net::kind_of(judged);
    CHECK(kind.tier == c.tier);
    CHECK(kind.name.empty() == (c.tier == Public));
    CHECK(AddressGuard{}.objection(at(c.address), {}).empty() == (c.tier == Public));
    // Everything allowed: only what must be named exactly is refused.
    const AddressGuard open = allowing({"0.0.0.0/0", "::/0"});
    CHECK(open.objection(at(c.address), {}).empty() == (c.tier != Delicate));
    const auto exact = AddressRange::parse(judged.to_string());
    REQUIRE(exact);
    AddressGuard named;
    named.allowed.push_back(*exact);
    CHECK(named.objection(at(c.address), {}) == "");
    CHECK(named.objection(at(c.tier == Delicate ? "127.0.0.2" : "10.9.9.9"), {}) != "");
  }
}

TEST_CASE("AddressGuard.AZoneDoesNotMakeItAnother") {
  auto address = boost::asio::ip::make_address_v6("fe80::1");
  address.scope_id(2);
  CHECK(AddressGuard{}.objection({address, 443}, {}) != "");
  CHECK(allowing({"fe80::1"}).objection({address, 443}, {}) == "");
}

TEST_CASE("AddressGuard.ARangeAllowsItselfAlone") {
  const AddressGuard guard = allowing({"10.2.0.0/15", "fd12:3400::/22"});
  for (const char* good : {"10.2.0.0", "10.3.255.255", "fd12:3400::1", "fd12:37ff:ffff::1", "::ffff:10.2.0.1"}) {
    CAPTURE(good);
    CHECK(guard.objection(at(good), {}) == "");
  }
  for (const char* bad :
       {"10.1.255.255", "10.4.0.0", "192.168.0.1", "fd12:3800::1", "fd12:33ff::1", "::ffff:10.4.0.1"}) {
    CAPTURE(bad);
    CHECK(guard.objection(at(bad), {}) != "");
  }
  CHECK(contains(guard.objection(at("10.4.0.0"), {}), "--allow-callback-net"));
}

TEST_CASE("AddressGuard.TheServersOwnPortIsNeverACallback") {
  AddressGuard guard = allowing({"127.0.0.1/32", "10.0.0.0/8", "10.0.0.5", "93.184.216.34/32", "0.0.0.0/32", "::1"});
  guard.own_ports = {8080, 9090};
  const std::vector<boost::asio::ip::address> own{boost::asio::ip::make_address("10.0.0.5"),
                                                  boost::asio::ip::make_address("93.184.216.34")};
  for (const char* address : {"127.0.0.1", "10.0.0.5", "93.184.216.34", "0.0.0.0", "::1", "::ffff:10.0.0.5"}) {
    CAPTURE(address);
    CHECK(guard.objection(at(address, 8080), own) != "");
    CHECK(guard.objection(at(address, 9090), own) != "");
    CHECK(guard.objection(at(address, 8081), own) == "");
  }
  CHECK(guard.objection(at("127.0.0.2", 8080), own) != "");
  // Another machine may listen on the same port.
  CHECK(guard.objection(at("10.0.0.6", 8080), own) == "");
  CHECK(guard.objection(at("1.1.1.1", 8080), own) == "");
}

TEST_CASE("AddressGuard.AnAddressOfThisMachineMustBeNamedExactly") {
  const std::vector<boost::asio::ip::address> own{boost::asio::ip::make_address("10.0.0.5"),
                                                  boost::asio::ip::make_address("93.184.216.34"),
                                                  boost::asio::ip::make_address("2a00::5")};
  const AddressGuard wide = allowing({"10.0.0.0/8"});
  CHECK(wide.objection(at("10.0.0.6"), own) == "");
  CHECK(contains(wide.objection(at("10.0.0.5"), own), "this machine"));
  CHECK(wide.objection(at("93.184.216.34"), own) != "");
  CHECK(wide.objection(at("2a00::5"), own) != "");
  CHECK(wide.objection(at("2002:a00:5::"), own) != "");
  CHECK(allowing({"93.184.216.34"}).objection(at("93.184.216.34"), own) == "");
}

TEST_CASE("AddressGuard.TheInterfacesOfThisMachineAreFound") {
  bool has_loopback = false;
  for (const auto& address : net::interface_addresses()) has_loopback = has_loopback || address.is_loopback();
  CHECK(has_loopback);
}

TEST_CASE("AddressRange.ReadsWhatAnOperatorWrites") {
  struct Case {
    const char* text;
    unsigned prefix;
  };
  for (const Case& c : {Case{"10.0.0.0/8", 8}, Case{"10.1.2.3", 32}, Case{"127.0.0.1/32", 32}, Case{"0.0.0.0/0", 0},
                        Case{"::1", 128}, Case{"fd00::/8", 8}, Case{"::/0", 0}, Case{"fd00:ec2::254/128", 128}}) {
    CAPTURE(c.text);
    const auto range = AddressRange::parse(c.text);
    REQUIRE(range);
    CHECK(range->prefix == c.prefix);
  }
  for (const char* text : {"", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/8 ", "/8",
                           "fd00::/129", "fd00::1/8", "localhost", "10.0.0.0/08x", "0x7f.0.0.1", "fe80::1%eth0",
                           "::ffff:10.0.0.0/104", "64:ff9b::/96", "2002:a00::/24", "10.0.0.0/255.0.0.0"}) {
    CAPTURE(text);
    const auto range = AddressRange::parse(text);
    REQUIRE_FALSE(range);
    CHECK(range.error().kind == ErrorKind::InvalidArgument);
  }
}

}  // namespace stele::tests
