// What TLS promises: which versions and ciphers, who is let in, and HTTP over it as without it.

#include <sys/stat.h>

#include <cmath>
#include <filesystem>
#include <random>
#include <set>
#include <thread>

#include "engine/base/clock.h"
#include "tests/net/tls_fixture.h"

namespace stele::tests {

TEST_CASE("ServerTls.Speaks12And13WithForwardSecrecyAndAuthenticatedCiphers") {
  TlsServer server;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    ClientTls tls = server.trusting();
    tls.version_min = tls.version_max = version;
    HttpClient client = server.client(tls);
    CHECK(client.get("/a?b").body == "/a?b:");
    CHECK(client.tls_version() == (version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3"));
    CHECK(client.tls_cipher() ==
          (version == TLS1_2_VERSION ? "ECDHE-ECDSA-AES128-GCM-SHA256" : "TLS_AES_128_GCM_SHA256"));
  }
  ClientTls without_aes = server.trusting();
  without_aes.version_max = TLS1_2_VERSION;
  without_aes.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256";
  HttpClient phone = server.client(without_aes);
  CHECK(phone.get("/a").status == 200);
  CHECK(phone.tls_cipher() == "ECDHE-ECDSA-CHACHA20-POLY1305");
}

TEST_CASE("ServerTls.RefusesOldVersionsAndWeakCiphers") {
  TlsServer server;
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    ClientTls tls = server.trusting();
    tls.version_min = tls.version_max = version;
    tls.ciphers = "ALL:@SECLEVEL=0";
    HttpClient client = server.client(tls);
    CHECK_FALSE(client.connect());
    CAPTURE(client.error());
    CHECK(contains(client.error(), "alert protocol version"));
  }
  for (const char* cipher :
       {"ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-CCM", "AES128-GCM-SHA256",
        "DHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-NULL-SHA", "AECDH-AES128-SHA"}) {
    CAPTURE(cipher);
    ClientTls tls = server.trusting();
    tls.version_max = TLS1_2_VERSION;
    tls.ciphers = std::string(cipher) + ":@SECLEVEL=0";
    HttpClient client = server.client(tls);
    CHECK_FALSE(client.connect());
    CAPTURE(client.error());
    CHECK(contains(client.error(), "alert handshake failure"));
  }
}

TEST_CASE("ServerTls.AlpnIsHttp11OrNothing") {
  TlsServer server;
  struct Case {
    std::string offered;
    std::string chosen;
  };
  for (const Case& c : {Case{"", ""}, Case{"\x08http/1.1", "http/1.1"}, Case{"\x02h2\x08http/1.1", "http/1.1"}}) {
    ClientTls tls = server.trusting();
    tls.protocols = c.offered;
    HttpClient client = server.client(tls);
    CHECK(client.get("/a").status == 200);
    CHECK(client.tls_protocol() == c.chosen);
  }
  ClientTls tls = server.trusting();
  tls.protocols = "\x02h2\x03xyz";
  HttpClient client = server.client(tls);
  CHECK_FALSE(client.connect());
  CHECK(contains(client.error(), "no application protocol"));
}

TEST_CASE("ServerTls.AClientThatDoesNotTrustTheServerGoesAwayAndIsNoTrouble") {
  TlsServer server;
  ClientTls tls;
  tls.ca = TestAuthority("Another").certificate();
  CHECK_FALSE(server.client(tls).connect());
  CHECK(server.client().get("/a").status == 200);
  server.server.await_connections(0);
}

TEST_CASE("ServerTls.HttpIsAsWithoutIt") {
  TlsServer server;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    ClientTls tls = server.trusting();
    tls.version_min = tls.version_max = version;
    HttpClient client = server.client(tls);
    const int before = server.server.handler->requests;
    for (const char* path : {"/a", "/pool", "/thread", "/later", "/resume"}) CHECK(client.get(path).status == 200);
    CHECK(client.head("/large?100").body.empty());
    for (const std::size_t size : {0UL, 1UL, 5000UL, 16'383UL, 16'384UL, 16'385UL, 100'000UL, 8'000'000UL}) {
      CAPTURE(size);
      const HttpResponse got = client.post("/e", std::string(size, 'x'));
      CHECK(got.body.size() == 4 + size);
      CHECK(client.get("/large?" + std::to_string(size)).body == std::string(size, 'x'));
    }
    const std::string streamed = client.get("/stream?100").body;
    REQUIRE(streamed.size() == 100 * 64 * 1024);
    CHECK(streamed[0] == 'a');
    CHECK(streamed.back() == 'a' + 99 % 26);
    REQUIRE(client.send_raw("POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"));
    REQUIRE(client.send_raw("4\r\ndefg\r\n0\r\n\r\n"));
    CHECK(client.read_response().body == "/c?:abcdefg");
    REQUIRE(client.send_raw("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
    CHECK(client.read_response().status == 100);
    REQUIRE(client.send_raw("ab"));
    CHECK(client.read_response().body == "/x?:ab");
    CHECK(server.server.handler->requests - before == 5 + 1 + 16 + 1 + 1 + 1);
    CHECK(server.server.server->connections() == 1);  // one connection served all of them
  }
}

TEST_CASE("ServerTls.PipelinedRequestsAreAnsweredInOrder") {
  TlsServer server;
  HttpClient client = server.client();
  std::string requests;
  for (int i = 0; i < 2000; ++i) requests += "GET /n?" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  std::thread sender([&] { CHECK(client.send_raw(requests)); });
  sender.join();
  for (int i = 0; i < 2000; ++i) REQUIRE(client.read_response().body == "/n?" + std::to_string(i) + ":");
}

TEST_CASE("ServerTls.ManyClientsAtOnceGetWhatIsTheirs") {
  net::ServerOptions options = quick();
  options.io_threads = 3;
  TlsServer server(options);
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::atomic<int> odd{0};
  std::vector<std::thread> clients;
  for (unsigned i = 0; i < 8; ++i) {
    clients.emplace_back([&, i] {
      std::mt19937 random(seed + i);
      HttpClient client = server.client();
      client.set_receive_buffer(8192);
      for (int round = 0; round < 40; ++round) {
        const std::string body(random() % (round % 10 == 0 ? 500'000 : 30'000), static_cast<char>('a' + i));
        if (client.post(round % 2 == 0 ? "/e" : "/pool", body).body != (round % 2 == 0 ? "/e?:" : "pool ") + body)
          ++odd;
        if (round % 13 == 0) client.close();
      }
    });
  }
  for (std::thread& client : clients) client.join();
  CHECK(odd == 0);
}

TEST_CASE("ServerTls.MutualTlsLetsInWhoHasACertificateOfTheAuthority") {
  TlsServer server(quick(), true);
  const TestAuthority& authority = server.folder.authority;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    ClientTls tls = server.trusting();
    tls.version_min = tls.version_max = version;
    tls.identity = authority.issue({.common_name = "ingest"});
    CHECK(server.client(tls).get("/certificate").body == "CN=ingest");

    const auto refused = [&](const Identity& identity) {
      tls.identity = identity;
      HttpClient client = server.client(tls);
      const int status = client.get("/certificate").status;
      CAPTURE(client.error());
      CHECK(contains(client.error(), "alert"));  // it is told why, though it has sent a request meanwhile
      return status == 0;
    };
    CHECK(refused({}));
    CHECK(refused(TestAuthority("Another").issue({.common_name = "ingest"})));
    CHECK(refused(TestAuthority("Test authority").issue({.common_name = "ingest"})));  // the same name, another key
    CHECK(refused(authority.issue({.common_name = "ingest", .from_days = -10, .until_days = -1})));
    CHECK(refused(authority.issue({.common_name = "ingest", .from_days = 1})));
  }
  CHECK(server.server.handler->requests == 2);
}

TEST_CASE("ServerTls.TheNameOfAClientIsItsSubjectOrElseItsAltName") {
  TlsServer server(quick(), true);
  const TestAuthority& authority = server.folder.authority;
  const auto name = [&](const CertificateWish& wish) {
    const HttpResponse got = server.client_showing(authority.issue(wish)).get("/certificate");
    CHECK(got.status == 200);
    return got.body;
  };
  CHECK(name({.common_name = "a,b", .alt_names = {"DNS:c"}}) == "CN=a\\,b");
  CHECK(name({.common_name = "J\xC3\xBCrgen\n"}) == "CN=J\\C3\\BCrgen\\0A");
  CHECK(name({.alt_names = {"IP:127.0.0.1", "URI:spiffe://example.org/ingest"}}) == "URI:spiffe://example.org/ingest");
  CHECK(name({.alt_names = {"DNS:ingest.example.org"}}) == "DNS:ingest.example.org");
  CHECK(name({.alt_names = {"IP:127.0.0.1"}}).empty());
  CHECK(name({.alt_names = {"URI:x" + std::string(600, 'x')}}).empty());
  const TestAuthority below("Below", authority);
  CHECK(server.client_showing(below.issue({.common_name = "deep"})).get("/certificate").body == "CN=deep");
}

TEST_CASE("ServerTls.AnOptionalCertificateMayBeMissingButNotBad") {
  TlsServer server(quick(), true, true);
  const HttpResponse without = server.client().get("/certificate");
  CHECK(without.status == 200);
  CHECK(without.body.empty());
  CHECK(server.client_showing(server.folder.authority.issue({.common_name = "a"})).get("/certificate").body == "CN=a");
  CHECK(server.client_showing(TestAuthority("Another").issue({.common_name = "a"})).get("/certificate").status == 0);
}

TEST_CASE("ServerTls.ACertificateThatNobodyAskedForCountsForNothing") {
  TlsServer server;
  const HttpResponse got =
      server.client_showing(server.folder.authority.issue({.common_name = "a"})).get("/certificate");
  CHECK(got.status == 200);
  CHECK(got.body.empty());
}

TEST_CASE("ServerTls.RevokedCertificatesAreRefused") {
  TlsServer server(quick(), true);
  const TestAuthority& authority = server.folder.authority;
  const Identity good = authority.issue({.common_name = "good"}), bad = authority.issue({.common_name = "bad"});
  CHECK(server.client_showing(bad).get("/a").status == 200);
  write_private(server.folder.file("ca.pem"), authority.certificate() + authority.revoke({bad}));
  REQUIRE(server.credentials->reload());
  CHECK(server.client_showing(bad).get("/a").status == 0);
  CHECK(server.client_showing(good).get("/a").status == 200);
}

TEST_CASE("ServerTls.NewHandshakesUseReloadedFilesAndConnectionsGoOn") {
  TlsServer server;
  HttpClient old = server.client();
  CHECK(old.get("/a").status == 200);
  CHECK(old.server_name() == "server");
  server.folder.install(server.folder.authority.issue_server("renewed"));
  REQUIRE(server.credentials->reload());
  CHECK(contains(server.credentials->description(), "CN=renewed"));
  HttpClient fresh = server.client();
  CHECK(fresh.get("/a").status == 200);
  CHECK(fresh.server_name() == "renewed");
  CHECK(old.get("/b").status == 200);
  CHECK(old.server_name() == "server");
  CHECK(server.server.server->connections() == 2);

  write_private(server.folder.file("server-key.pem"), server.folder.authority.issue_server().key);
  const Status broken = server.credentials->reload();
  REQUIRE_FALSE(broken);
  CHECK(contains(broken.error().describe(), server.folder.file("server-key.pem")));
  CHECK(server.client().get("/a").status == 200);
}

TEST_CASE("ServerTls.FilesThatCannotBeUsedAreNamedWithTheReason") {
  const TlsFolder folder;
  const TestAuthority other("Another");
  const Identity good = folder.authority.issue_server();
  const Identity weak = folder.authority.issue({.common_name = "weak", .weak_key = true});
  struct Case {
    std::string what;
    std::string certificate, key, authority;
    std::string file;  ///< which is to blame
    std::string why;
  };
  const Case cases[] = {
      {"no certificate", "", good.key, "", "server.pem", "no certificate in PEM"},
      {"a key in its place", good.key, good.key, "", "server.pem", "no certificate in PEM"},
      {"a damaged certificate", good.certificate.substr(0, 200), good.key, "", "server.pem", "cannot be read"},
      {"a damaged chain", good.certificate + good.certificate.substr(0, 200), good.key, "", "server.pem",
       "behind the first"},
      {"a weak key", weak.certificate, weak.key, "", "server.pem", "key too small"},
      {"no key", good.certificate, "", "", "server-key.pem", "no private key in PEM"},
      {"a damaged key", good.certificate, good.key.substr(0, 100), "", "server-key.pem", "cannot be read"},
      {"a key with a passphrase", good.certificate, with_passphrase(good), "", "server-key.pem", "passphrase"},
      {"another key", good.certificate, other.issue_server().key, "", "server-key.pem", "not the private key of"},
      {"too large", good.certificate, std::string(2 << 20, ' '), "", "server-key.pem", "too large"},
      {"no authority", good.certificate, good.key, "nothing", "ca.pem", "no certificate in PEM"},
      {"a damaged authority", good.certificate, good.key, other.certificate().substr(0, 200), "ca.pem",
       "cannot be read"},
      {"an authority that is none", good.certificate, good.key, good.certificate, "ca.pem",
       "not the certificate of an"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    folder.install({c.certificate, c.key});
    net::TlsFiles files = folder.files();
    if (!c.authority.empty()) {
      files.client_ca = folder.file("ca.pem");
      write_private(files.client_ca, c.authority);
    }
    const auto loaded = net::ServerTls::load(files);
    REQUIRE_FALSE(loaded);
    const std::string told = loaded.error().describe();
    CAPTURE(told);
    CHECK(contains(told, folder.file(c.file)));
    CHECK(contains(told, c.why));
  }
  folder.install(good);
  CHECK(net::ServerTls::load(folder.files()));
  net::TlsFiles missing = folder.files();
  missing.certificate = folder.file("missing.pem");
  CHECK(contains(net::ServerTls::load(missing).error().describe(), "missing.pem"));
  missing.certificate = folder.file("");
  CHECK(contains(net::ServerTls::load(missing).error().describe(), "not a file"));
  REQUIRE(::mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  missing.certificate = folder.file("pipe");
  CHECK(contains(net::ServerTls::load(missing).error().describe(), "not a file"));

  folder.install(folder.authority.issue({.common_name = "old", .from_days = -10, .until_days = -1}));
  const auto expired = net::ServerTls::load(folder.files());
  REQUIRE(expired);
  CHECK(contains((*expired)->description(), "EXPIRED"));
}

TEST_CASE("ServerTls.TellsHowLongWhatItUsesIsGood") {
  using api::CertificateUse;
  constexpr std::int64_t day = 86'400'000'000;
  TlsFolder folder;
  const TestAuthority between("Between", folder.authority);
  folder.install(between.issue({.common_name = "short", .from_days = -20, .until_days = 10}));
  net::TlsFiles files = folder.mutual_files();
  write_private(files.client_ca, folder.authority.certificate() + folder.authority.revoke({}));
  const auto loaded = net::ServerTls::load(files);
  REQUIRE(loaded);
  net::ServerTls& tls = **loaded;
  const std::int64_t now = system_clock().now().micros;
  const auto days = [&](Timestamp time) { return std::lround(static_cast<double>(time.micros - now) / day); };
  const auto told = [&] {
    std::set<std::string> all;
    for (const api::CertificateTerm& term : tls.certificates()) {
      all.insert(std::string(name_of(term.use)) + " " + term.name + " " + std::to_string(days(term.from)) + ".." +
                 std::to_string(days(term.until)));
    }
    return all;
  };
  using Told = std::set<std::string>;
  CHECK(told() == Told{"server CN=short -20..10", "server-chain CN=Between -1..30",
                       "client-ca CN=Test authority -1..30", "client-crl CN=Test authority 0..1"});
  folder.install(folder.authority.issue({.common_name = "renewed", .from_days = 1, .until_days = 90}));
  CHECK(told().contains("server CN=short -20..10"));
  REQUIRE(tls.reload());
  CHECK(told() ==
        Told{"server CN=renewed 1..90", "client-ca CN=Test authority -1..30", "client-crl CN=Test authority 0..1"});
  // What cannot be used changes nothing.
  write_private(files.client_ca, "");
  REQUIRE_FALSE(tls.reload());
  CHECK(told().contains("server CN=renewed 1..90"));
}

TEST_CASE("ServerTls.AKeyThatOthersCanReadIsRefused") {
  const TlsFolder folder;
  const std::string key = folder.file("server-key.pem");
  for (const mode_t mode : {0604, 0644, 0602, 0660, 0666}) {
    CAPTURE(mode);
    REQUIRE(::chmod(key.c_str(), mode) == 0);
    const auto loaded = net::ServerTls::load(folder.files());
    REQUIRE_FALSE(loaded);
    CHECK(contains(loaded.error().describe(), "others can read the private key"));
    CHECK(contains(loaded.error().describe(), key));
  }
  for (const mode_t mode : {0600, 0400}) {
    REQUIRE(::chmod(key.c_str(), mode) == 0);
    CHECK(net::ServerTls::load(folder.files()));
  }
}

TEST_CASE("ServerTls.PlainHttpIsToldToUseTls") {
  TlsServer server(quick(), true);
  for (const char* request :
       {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "PATCH /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"}) {
    HttpClient client = server.plain_client();
    REQUIRE(client.send_raw(request));
    const HttpResponse got = client.read_response();
    CHECK(got.status == 400);
    CHECK(got.header("Content-Type") == "application/problem+json");
    CHECK(contains(got.body, "https"));
  }
  HttpClient garbage = server.plain_client();
  REQUIRE(garbage.send_raw("\x01\x02\x03garbage\r\n\r\n"));
  CHECK_FALSE(contains(garbage.read_to_end(), "HTTP"));
  CHECK(server.server.handler->requests == 0);
  server.server.await_connections(0);
}

TEST_CASE("ServerTls.AnOrderlyEndIsSaidAndABrokenAnswerIsNot") {
  net::ServerOptions options = quick();
  options.limits.idle_ms = 100;
  TlsServer server(options);
  const auto ends_in_order = [&](std::string_view bytes) {
    HttpClient client = server.client();
    REQUIRE(client.send_raw(bytes));
    return client.closed_in_order();
  };
  CHECK(ends_in_order("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  CHECK(ends_in_order("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"));  // idle afterwards
  CHECK(ends_in_order("GET /stream?30 HTTP/1.0\r\n\r\n"));
  CHECK(ends_in_order("nonsense\r\n\r\n"));
  CHECK_FALSE(ends_in_order("GET /broken?30 HTTP/1.1\r\nHost: a\r\n\r\n"));
  CHECK_FALSE(ends_in_order("GET /broken?30 HTTP/1.0\r\n\r\n"));
}

TEST_CASE("ServerTls.ARequestThatIsCutOffIsNotServed") {
  TlsServer server;
  for (const char* bytes :
       {"GET /a HTTP/1.1\r\nHost: a\r\n", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcd",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"}) {
    HttpClient client = server.client();
    REQUIRE(client.send_raw(bytes));
    client.shutdown_send();
    CHECK(client.read_to_end().empty());
  }
  server.server.await_connections(0);
  CHECK(server.server.handler->requests == 0);
}

TEST_CASE("ServerTls.ShutdownAnswersWhatIsUnderWayAndEndsTheRestInOrder") {
  TlsServer server;
  HttpClient idle = server.client();
  CHECK(idle.get("/a").status == 200);
  HttpClient busy = server.client();
  REQUIRE(busy.send_raw("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
  HttpClient sending = server.client();
  REQUIRE(sending.send_raw("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"));
  REQUIRE(sending.read_response().status == 100);  // it has been read so far, so that it is under way
  REQUIRE(sending.send_raw("a"));
  HttpClient shaking = server.plain_client();
  REQUIRE(shaking.send_raw("\x16\x03\x01"));
  server.server.handler->await_held(1);
  server.server.await_connections(4);

  server.server.server->begin_shutdown();
  CHECK(shaking.closed_by_server());
  CHECK(idle.closed_in_order());
  REQUIRE(sending.send_raw("bc"));
  const HttpResponse sent = sending.read_response();
  CHECK(sent.body == "/e?:abc");
  CHECK(sent.header("Connection") == "close");
  server.server.handler->release();
  CHECK(busy.read_response().body == "released");
  server.server.end();
}

}  // namespace stele::tests
