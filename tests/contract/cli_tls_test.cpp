// TLS as an operator meets it: tools/dev-cert, the flags of the server and of the client commands, renewal by SIGHUP.

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/support/build_paths.h"
#include "tests/support/certificates.h"
#include "tests/support/eventually.h"
#include "tests/support/http_client.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

/// What tools/dev-cert makes.
class DevCertificates {
 public:
  DevCertificates() { make(); }
  void make() const {
    const auto made = run_process({source_path("tools/dev-cert"), folder_.file("certs")});
    INFO(made.err);
    REQUIRE(made.exit_code == 0);
  }
  [[nodiscard]] std::string file(const std::string& name) const { return folder_.file("certs/" + name); }
  [[nodiscard]] std::string data() const { return folder_.file("data"); }

  [[nodiscard]] std::vector<std::string> server_flags(bool mutual = false) const {
    std::vector<std::string> flags{"--segment-size",   "1MiB",      "--tls-cert",
                                   file("server.pem"), "--tls-key", file("server-key.pem")};
    if (mutual) flags.insert(flags.end(), {"--tls-client-ca", file("ca.pem")});
    return flags;
  }
  [[nodiscard]] std::vector<std::string> client_flags() const {
    return {"--ca", file("ca.pem"), "--client-cert", file("client.pem"), "--client-key", file("client-key.pem")};
  }
  [[nodiscard]] ClientTls trusting() const {
    ClientTls tls;
    tls.ca = read_file(file("ca.pem"));
    return tls;
  }

 private:
  test::TempFolder folder_;
};

std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

constexpr const char* kEvent = R"({"eventType":"Noted","aggregateId":"tls/1","data":{}})";

}  // namespace

TEST_CASE("CliTls.TheCommandsSpeakHttpsWithACertificateOfTheirOwn") {
  const DevCertificates certificates;
  auto server = ServerProcess::start({certificates.data(), certificates.server_flags(true), {}, 0});
  CHECK(server.url().starts_with("https://127.0.0.1:"));
  for (const std::string& url : {server.url(), "https://localhost:" + std::to_string(server.port())}) {
    CAPTURE(url);
    const std::vector<std::string> to{"--url", url};
    const auto appended =
        run_stele(std::vector<std::string>{"append", "--type", "Noted", "--aggregate", "tls/1", "--data", "{}"} + to +
                  certificates.client_flags());
    CHECK(appended.err.empty());
    CHECK(appended.exit_code == 0);
  }
  const auto imported =
      run_stele(std::vector<std::string>{"import", "-", "--quiet"}, std::string(kEvent) + "\n" + kEvent + "\n",
                {{"STELE_URL", server.url()},
                 {"STELE_CA", certificates.file("ca.pem")},
                 {"STELE_CLIENT_CERT", certificates.file("client.pem")},
                 {"STELE_CLIENT_KEY", certificates.file("client-key.pem")}});
  CAPTURE(imported.err);
  CHECK(imported.exit_code == 0);
  const auto queried = run_stele(std::vector<std::string>{"query", "--url", server.url(), "--limit", "10"} +
                                 certificates.client_flags());
  CHECK(queried.exit_code == 0);
  CHECK(std::count(queried.out.begin(), queried.out.end(), '\n') == 4);
  CHECK(server.stop() == 0);
}

TEST_CASE("CliTls.HandshakesThatFailAreCounted") {
  const DevCertificates certificates;
  auto server = ServerProcess::start({certificates.data(), certificates.server_flags(), {}, 0});
  const HttpResponse plain = HttpClient(server.port()).get("/healthz");
  CHECK(plain.status == 400);
  HttpClient distrustful(server.port());
  distrustful.use_tls(ClientTls{});
  CHECK_FALSE(distrustful.connect());
  HttpClient client(server.port());
  client.use_tls(certificates.trusting());
  CHECK(eventually([&] { return contains(client.get("/metrics").body, "stele_tls_handshakes_failed_total 2\n"); }));
}

TEST_CASE("CliTls.TheCommandsTrustNobodyElse") {
  const DevCertificates certificates;
  const TestAuthority other("Another");
  auto server = ServerProcess::start({certificates.data(), certificates.server_flags(), {}, 0});
  const auto query = [&](const std::vector<std::string>& flags) {
    return run_stele(std::vector<std::string>{"query", "--url", server.url()} + flags);
  };
  CHECK(query({"--ca", certificates.file("ca.pem")}).exit_code == 0);
  for (const bool system : {true, false}) {
    write_private(certificates.file("other.pem"), other.certificate());
    const auto refused =
        query(system ? std::vector<std::string>{} : std::vector<std::string>{"--ca", certificates.file("other.pem")});
    CAPTURE(refused.err);
    CHECK(refused.exit_code == 1);
    CHECK(contains(refused.err, "is not trusted"));
    CHECK(contains(refused.err, "--ca"));
  }
  // The certificate is good, but for another host.
  const Identity elsewhere = other.issue({.common_name = "localhost", .alt_names = {"DNS:example.org"}});
  write_private(certificates.file("server.pem"), elsewhere.certificate);
  write_private(certificates.file("server-key.pem"), elsewhere.key);
  server.process().signal(SIGHUP);
  REQUIRE_FALSE(server.process().wait_for_stderr("TLS reloaded").empty());
  const auto wrong_host = query({"--ca", certificates.file("other.pem")});
  CAPTURE(wrong_host.err);
  CHECK(wrong_host.exit_code == 1);
  // An import does not wait for a certificate to become good.
  const auto import = run_stele({"import", "-", "--url", server.url(), "--ca", certificates.file("other.pem")}, kEvent);
  CHECK(import.exit_code == 1);
  CHECK_FALSE(contains(import.err, "trying again"));

  const auto bad_file = query({"--ca", certificates.file("missing.pem")});
  CHECK(bad_file.exit_code == 1);
  CHECK(contains(bad_file.err, "missing.pem"));
  CHECK(query({"--client-cert", certificates.file("client.pem")}).exit_code == 2);
}

TEST_CASE("CliTls.WithoutACertificateOfItsOwnAClientIsRefused") {
  const DevCertificates certificates;
  auto server = ServerProcess::start({certificates.data(), certificates.server_flags(true), {}, 0});
  const auto refused = run_stele({"query", "--url", server.url(), "--ca", certificates.file("ca.pem")});
  CAPTURE(refused.err);
  CHECK(refused.exit_code == 1);
  CHECK(contains(refused.err, "certificate required"));
}

TEST_CASE("CliTls.FlagsThatMakeNoSenseAndFilesThatCannotBeUsedAreToldAtOnce") {
  const DevCertificates certificates;
  const auto usage = [&](const std::vector<std::string>& flags) {
    const auto result = run_stele(std::vector<std::string>{"serve", "--data", certificates.data()} + flags);
    return result.exit_code == 2 ? result.err : "exit code " + std::to_string(result.exit_code);
  };
  CHECK(contains(usage({"--tls-cert", certificates.file("server.pem")}), "belong together"));
  CHECK(contains(usage({"--tls-key", certificates.file("server-key.pem")}), "belong together"));
  CHECK(contains(usage({"--tls-client-ca", certificates.file("ca.pem")}), "--tls-cert"));
  CHECK(contains(usage(certificates.server_flags() + std::vector<std::string>{"--tls-client-optional"}),
                 "--tls-client-ca"));
  // Encrypted, but anyone may come.
  CHECK(contains(usage(certificates.server_flags() + std::vector<std::string>{"--listen", "0.0.0.0:0"}), "--insecure"));
  CHECK(contains(usage(certificates.server_flags(true) +
                       std::vector<std::string>{"--tls-client-optional", "--listen", "0.0.0.0:0"}),
                 "--insecure"));

  REQUIRE(::chmod(certificates.file("server-key.pem").c_str(), 0644) == 0);
  const auto readable =
      run_stele(std::vector<std::string>{"serve", "--data", certificates.data()} + certificates.server_flags());
  CAPTURE(readable.err);
  CHECK(readable.exit_code == 1);
  CHECK(contains(readable.err, certificates.file("server-key.pem")));
  CHECK(contains(readable.err, "others can read the private key"));
  CHECK(!std::filesystem::exists(certificates.data()));  // refused before anything is made
}

TEST_CASE("CliTls.WithClientCertificatesItListensBeyondLoopback") {
  const DevCertificates certificates;
  const auto server = ChildProcess::start(
      std::vector<std::string>{stele_binary(), "serve", "--data", certificates.data(), "--listen", "0.0.0.0:0"} +
      certificates.server_flags(true));
  CHECK_FALSE(server->wait_for_stderr("listening on https://0.0.0.0:").empty());
  CHECK_FALSE(contains(server->err(), "--insecure"));
}

TEST_CASE("CliTls.HangupRenewsTheCertificateUnderTrafficAndNoRequestFails") {
  const DevCertificates certificates;
  auto server = ServerProcess::start({certificates.data(), certificates.server_flags(), {}, 0});
  const ClientTls tls = certificates.trusting();
  const TestAuthority other("Another");
  std::atomic<bool> ending{false};
  std::atomic<int> failed{0}, kept{0}, fresh{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&, i] {
      HttpClient client(server.port());
      client.use_tls(tls);
      while (!ending) {
        if (client.post("/v1/events", kEvent).status != 201) ++failed;
        ++(i % 2 == 0 ? kept : fresh);
        if (i % 2 == 1) client.close();
      }
    });
  }
  const auto wait_for_traffic = [&] {
    const int kept_before = kept, fresh_before = fresh;
    wait_until([&] { return failed > 0 || (kept >= kept_before + 20 && fresh >= fresh_before + 20); });
  };
  std::string last;
  for (int round = 0; round < 5; ++round) {
    wait_for_traffic();
    last = "renewed " + std::to_string(round);
    certificates.make();
    server.process().signal(SIGHUP);
    wait_until([&] {
      const std::string log = server.err();
      int reloads = 0;
      for (std::size_t at = 0; (at = log.find("TLS reloaded", at)) != std::string::npos; ++at) ++reloads;
      return failed > 0 || reloads > round;
    });
  }
  // One that cannot be used changes nothing.
  write_private(certificates.file("server-key.pem"), other.issue_server().key);
  server.process().signal(SIGHUP);
  const std::string told = server.process().wait_for_stderr("TLS goes on with what it has");
  CHECK(contains(told, "server-key.pem"));
  wait_for_traffic();
  ending = true;
  for (std::thread& client : clients) client.join();
  CHECK(failed == 0);
  CHECK(server.stop() == 0);
}

TEST_CASE("CliTls.TheCertificateAfterAHangupIsTheNewOne") {
  const DevCertificates certificates;
  auto server = ServerProcess::start({certificates.data(), certificates.server_flags(), {}, 0});
  HttpClient old(server.port());
  old.use_tls(certificates.trusting());
  CHECK(old.get("/healthz").status == 200);
  const TestAuthority other("Another");
  const Identity renewed = other.issue_server("renewed");
  write_private(certificates.file("server-key.pem"), renewed.key);
  write_private(certificates.file("server.pem"), renewed.certificate);
  server.process().signal(SIGHUP);
  CHECK(contains(server.process().wait_for_stderr("TLS reloaded"), "CN=renewed"));
  HttpClient fresh(server.port());
  ClientTls tls;
  tls.ca = other.certificate();
  fresh.use_tls(tls);
  CHECK(fresh.get("/healthz").status == 200);
  CHECK(fresh.server_name() == "renewed");
  CHECK(old.get("/healthz").status == 200);
  CHECK(old.server_name() == "server");
}

TEST_CASE("CliTls.ACertificateThatEndsSoonIsToldUntilItIsRenewed") {
  const DevCertificates certificates;
  const TestAuthority authority("Operator");
  const auto install = [&](int until_days, int from_days = -60) {
    const Identity made = authority.issue({.common_name = "server",
                                           .alt_names = {"DNS:localhost", "IP:127.0.0.1"},
                                           .from_days = from_days,
                                           .until_days = until_days});
    write_private(certificates.file("server-key.pem"), made.key);
    write_private(certificates.file("server.pem"), made.certificate);
  };
  install(10);
  auto server = ServerProcess::start({certificates.data(), certificates.server_flags(), {}, 0});
  CHECK_FALSE(server.process().wait_for_stderr("CN=server, expires at 2").empty());
  HttpClient client(server.port());
  ClientTls tls;
  tls.ca = authority.certificate();
  client.use_tls(tls);
  const auto has = [&](const std::string& target, std::string_view part) {
    return contains(client.get(target).body, part);
  };
  CHECK(has("/readyz", "TLS: the server's certificate, CN=server, expires at 2"));
  CHECK(has("/readyz", "\"ready\":true"));
  CHECK_FALSE(has("/metrics", "\nstele_warnings 0\n"));
  CHECK(has("/metrics", "\nstele_tls_certificate_expiry_timestamp_seconds{use=\"server\"} "));
  install(90, -1);
  server.process().signal(SIGHUP);
  CHECK_FALSE(server.process().wait_for_stderr("TLS reloaded").empty());
  CHECK_FALSE(has("/readyz", "TLS:"));
  CHECK_FALSE(server.process().wait_for_stderr("no longer: TLS: ").empty());
  CHECK(server.stop() == 0);
}

TEST_CASE("CliTls.WhatAHangupHasReadIsInTheAuditTrail") {
  const DevCertificates certificates;
  auto server = ServerProcess::start({certificates.data(), certificates.server_flags(), {}, 0});
  const auto reloads = [&](const std::string& outcome) {
    const ProcessResult listed =
        run_stele({"audit", "list", "--action", "server.reload", "--resource", "server:tls", "--outcome", outcome,
                   "--json", "--url", server.url(), "--ca", certificates.file("ca.pem")});
    REQUIRE_MESSAGE(listed.exit_code == 0, listed.err);
    std::vector<Json> found;
    std::istringstream lines(listed.out);
    for (std::string line; std::getline(lines, line);) found.emplace_back(line);
    return found;
  };
  certificates.make();
  server.process().signal(SIGHUP);
  REQUIRE(eventually([&] { return reloads("done").size() == 1; }));
  CHECK_FALSE(reloads("done")[0].text("/details/now").empty());
  CHECK(reloads("failed").empty());
  // What could not be used is told without the place where it lies.
  write_private(certificates.file("server-key.pem"), TestAuthority("other").issue_server().key);
  server.process().signal(SIGHUP);
  REQUIRE(eventually([&] { return reloads("failed").size() == 1; }));
  const std::string error = reloads("failed")[0].text("/details/error");
  CHECK_FALSE(error.empty());
  CHECK_FALSE(contains(error, std::filesystem::path(certificates.data()).parent_path().string()));
  CHECK(reloads("done").size() == 1);
  CHECK(server.stop() == 0);
}

TEST_CASE("CliTls.AHangupReadsTheCertificateAndOpensTheAccessLogAgain") {
  const DevCertificates certificates;
  const std::string log = certificates.file("access.log");
  auto server = ServerProcess::start(
      {certificates.data(), certificates.server_flags() + std::vector<std::string>{"--access-log", log}, {}, 0});
  HttpClient client(server.port());
  client.use_tls(certificates.trusting());
  CHECK(client.get("/healthz").status == 200);
  // Its line is written some time after its answer.
  REQUIRE(eventually([&] { return contains(read_file(log), " /healthz "); }));
  std::filesystem::rename(log, log + ".1");
  server.process().signal(SIGHUP);
  REQUIRE_FALSE(server.process().wait_for_stderr("access log reopened").empty());
  CHECK(contains(server.err(), "TLS reloaded"));
  CHECK(client.get("/readyz").status == 200);
  CHECK(server.stop() == 0);
  CHECK(contains(read_file(log + ".1"), " /healthz "));
  CHECK(contains(read_file(log), " /readyz "));
  CHECK_FALSE(contains(read_file(log), " /healthz "));
}

TEST_CASE("CliTls.AClientKeyWithAPassphraseIsRefusedAndNobodyIsAsked") {
  const DevCertificates certificates;
  const std::string key = certificates.file("secret-key.pem");
  REQUIRE(run_process({"/usr/bin/openssl", "pkey", "-in", certificates.file("client-key.pem"), "-aes256", "-passout",
                       "pass:secret", "-out", key})
              .exit_code == 0);
  auto server = ServerProcess::start({certificates.data(), certificates.server_flags(true), {}, 0});
  const auto refused = run_stele({"query", "--url", server.url(), "--ca", certificates.file("ca.pem"), "--client-cert",
                                  certificates.file("client.pem"), "--client-key", key},
                                 "secret\n");
  CAPTURE(refused.err);
  CHECK(refused.exit_code == 1);
  CHECK(contains(refused.err, "the private key has a passphrase; give one without"));
  CHECK(contains(refused.err, key));
  CHECK_FALSE(contains(refused.err + refused.out, "Enter PEM"));
}

TEST_CASE("CliTls.WithoutTlsAHangupChangesNothing") {
  const test::TempFolder folder;
  auto server = ServerProcess::start({folder.path(), {"--segment-size", "1MiB"}, {}, 0});
  server.process().signal(SIGHUP);
  CHECK_FALSE(server.process().wait_for_stderr("nothing to reload").empty());
  CHECK(HttpClient(server.port()).get("/healthz").status == 200);
  CHECK(server.stop() == 0);
}

TEST_CASE("CliTls.DevelopmentCertificatesCanBeMadeAgain") {
  const DevCertificates certificates;
  const std::string authority = read_file(certificates.file("ca.pem")),
                    server = read_file(certificates.file("server.pem"));
  certificates.make();
  CHECK(read_file(certificates.file("ca.pem")) == authority);
  CHECK(read_file(certificates.file("server.pem")) != server);
  for (const auto& entry : std::filesystem::directory_iterator(certificates.file(""))) {
    CAPTURE(entry.path());
    CHECK((entry.status().permissions() & (std::filesystem::perms::group_all | std::filesystem::perms::others_all)) ==
          std::filesystem::perms::none);
  }
}

TEST_CASE("Serve.ConnectionsLeaveTheStoreTheDescriptorsItNeeds") {
  const test::TempFolder folder;
  const auto process = ChildProcess::start({"/bin/sh", "-c",
                                            "ulimit -n 128 && exec \"$0\" serve --data \"$1\" --listen 127.0.0.1:0 "
                                            "--segment-size 64KiB --index-run-records 64",
                                            stele_binary(), folder.path()});
  const std::string line = process->wait_for_stderr("listening on ");
  CHECK(contains(process->err(), "64 connections instead of 10000"));
  const int port = std::atoi(line.c_str() + line.rfind(':') + 1);
  HttpClient writer(port);
  CHECK(writer.get("/healthz").status == 200);
  std::vector<HttpClient> crowd;
  for (int i = 0; i < 200; ++i) (void)crowd.emplace_back(port).connect();
  for (int i = 0; i < 300; ++i) {
    REQUIRE(
        writer.post("/v1/events", R"({"eventType":"Noted","aggregateId":"a","data":")" + std::string(1000, 'x') + "\"}")
            .status == 201);
  }
  crowd.clear();
  // Until it has seen that they left, it has no place for another.
  wait_until([&] { return HttpClient(port).get("/v1/aggregates/a").status == 200; });
}

}  // namespace stele::tests
