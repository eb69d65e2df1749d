#include <doctest/doctest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "net/log/log_escape.h"
#include "net/log/log_format.h"
#include "net/log/log_limiter.h"
#include "net/log/rate_limited_log.h"

namespace stele::net {

namespace {

std::string text(std::string_view from) {
  std::string to;
  append_log_text(to, from);
  return to;
}
std::string word(std::string_view from) {
  std::string to;
  append_log_word(to, from);
  return to;
}
std::string json(std::string_view from) {
  std::string to;
  append_log_json(to, from);
  return to;
}

/// Catches what is logged through the default logger while it lives.
class CaughtLog {
 public:
  explicit CaughtLog(LogFormat format) : before_(spdlog::default_logger()) {
    auto logger = std::make_shared<spdlog::logger>("caught", std::make_shared<spdlog::sinks::ostream_sink_mt>(out_));
    logger->set_formatter(std::make_unique<LogFormatter>(format));
    spdlog::set_default_logger(std::move(logger));
  }
  ~CaughtLog() { spdlog::set_default_logger(before_); }
  CaughtLog(const CaughtLog&) = delete;

  /// Lines so far, without their times.
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> found;
    std::istringstream in(out_.str());
    for (std::string line; std::getline(in, line);)
      found.push_back(line.substr(std::string_view("2026-11-23T09:17:00.788517Z ").size()));
    return found;
  }
  [[nodiscard]] std::string all() const { return out_.str(); }

 private:
  std::ostringstream out_;
  std::shared_ptr<spdlog::logger> before_;
};

}  // namespace

TEST_CASE("LogEscape.WhatAClientSendsCannotLeaveItsPlace") {
  struct Row {
    std::string from, text, word, json;
  };
  for (const Row& row : std::vector<Row>{
           {"plain", "plain", "plain", "\"plain\""},
           {"", "", "-", "\"\""},
           {"two words", "two words", "two\\x20words", "\"two words\""},
           {"a\r\nb", "a\\x0d\\x0ab", "a\\x0d\\x0ab", "\"a\\u000d\\u000ab\""},
           {"\x1b[31m", "\\x1b[31m", "\\x1b[31m", "\"\\u001b[31m\""},
           {std::string("\0", 1), "\\x00", "\\x00", "\"\\u0000\""},
           {"\x7f", "\\x7f", "\\x7f", "\"\\u007f\""},
           {"say \"x\" \\ y", "say \"x\" \\\\ y", "say\\x20\\x22x\\x22\\x20\\\\\\x20y", "\"say \\\"x\\\" \\\\ y\""},
           {"Größe 漢字 🚀", "Größe 漢字 🚀", "Größe\\x20漢字\\x20🚀", "\"Größe 漢字 🚀\""},
           {"\xc2\x85", "\\xc2\\x85", "\\xc2\\x85", "\"\\u0085\""},                // next line, C1
           {"\xe2\x80\xa8", "\\xe2\\x80\\xa8", "\\xe2\\x80\\xa8", "\"\\u2028\""},  // line separator
           {"\xe2\x80\xae", "\\xe2\\x80\\xae", "\\xe2\\x80\\xae", "\"\\u202e\""},  // right-to-left override
           {"\xff", "\\xff", "\\xff", "\"\\\\xff\""},
           {"\xc0\xaf", "\\xc0\\xaf", "\\xc0\\xaf", "\"\\\\xc0\\\\xaf\""},                       // overlong
           {"\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80", "\"\\\\xed\\\\xa0\\\\x80\""},  // surrogate
           {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\\xf4\\x90\\x80\\x80", "\"\\\\xf4\\\\x90\\\\x80\\\\x80\""},
           {"cut \xe6\xbc", "cut \\xe6\\xbc", "cut\\x20\\xe6\\xbc", "\"cut \\\\xe6\\\\xbc\""},
       }) {
    CAPTURE(row.from);
    CHECK(text(row.from) == row.text);
    CHECK(word(row.from) == row.word);
    CHECK(json(row.from) == row.json);
  }
}

TEST_CASE("LogEscape.NoBytesMakeALineBreakOrAnOpenString") {
  std::string all;
  for (int high = 0; high < 256; ++high) {
    for (int low = 0; low < 256; ++low) {
      all = {static_cast<char>(high), static_cast<char>(low)};
      for (const std::string& escaped : {text(all), word(all), json(all)}) {
        for (const char c : escaped) REQUIRE(static_cast<unsigned char>(c) >= 0x20);
      }
      REQUIRE(word(all).find(' ') == std::string::npos);
    }
  }
}

TEST_CASE("LogFormat.TextLinesHaveTheirContextBehindTheMessage") {
  const CaughtLog log(LogFormat::Text);
  spdlog::warn("alone");
  {
    const LogContext context{{"remote", "127.0.0.1"}, {"route", ""}, {"path", "/a b\n"}};
    spdlog::error("about\na request");
  }
  spdlog::info("alone again");
  CHECK(log.lines() == std::vector<std::string>{"warning alone",
                                                "error about\\x0aa request remote=127.0.0.1 path=/a\\x20b\\x0a",
                                                "info alone again"});
}

TEST_CASE("LogFormat.JsonLinesHaveTheirContextAsMembers") {
  const CaughtLog log(LogFormat::Json);
  const LogContext context{{"remote", "127.0.0.1"}, {"problem", ""}, {"path", "/\"\n"}};
  spdlog::error("say \"x\"\n");
  const std::string line = log.all();
  CHECK(line.starts_with("{\"time\":\"2"));
  CHECK(
      line.ends_with("Z\",\"level\":\"error\",\"message\":\"say "
                     "\\\"x\\\"\\u000a\",\"remote\":\"127.0.0.1\",\"path\":\"/\\\"\\u000a\"}\n"));
}

TEST_CASE("LogLimiter.LetsTheFirstLinesOfAMinuteThroughAndCountsTheRest") {
  LogLimiter limiter(3);
  int written = 0;
  for (int i = 0; i < 10; ++i) written += limiter.admit(1000 + i) ? 1 : 0;
  CHECK(written == 3);
  CHECK(limiter.take_held_back(2000) == 0);  // the minute is not over
  CHECK(limiter.take_held_back(1000 + LogLimiter::window_ms) == 7);
  CHECK(limiter.take_held_back(1000 + LogLimiter::window_ms) == 0);
  CHECK(limiter.admit(1000 + LogLimiter::window_ms));
}

TEST_CASE("LogLimiter.LosesNoCountWhenANewMinuteBeginsWithALine") {
  LogLimiter limiter(1);
  for (std::int64_t minute = 0; minute < 3; ++minute) {
    for (int i = 0; i < 5; ++i) (void)limiter.admit(minute * LogLimiter::window_ms);
  }
  CHECK(limiter.take_held_back(2 * LogLimiter::window_ms) == 8);
  CHECK(limiter.take_all_held_back() == 4);
  CHECK(limiter.take_all_held_back() == 0);
}

TEST_CASE("RateLimitedLog.SumsUpWhatItHeldBackByCause") {
  const CaughtLog log(LogFormat::Text);
  RateLimitedLog limited;
  for (int i = 0; i < 25; ++i) limited.write(LogCause::RequestRefused, 0, "refused ", "for ever");
  for (int i = 0; i < 2; ++i) limited.write(LogCause::AccessDenied, 0, "denied");
  limited.summarise(1);
  CHECK(log.lines().size() == 12);
  limited.summarise(LogLimiter::window_ms);
  CHECK(log.lines().size() == 13);
  CHECK(log.lines().front() == "info refused for ever");
  CHECK(log.lines().back() == "info … and 15 more requests refused");
}

}  // namespace stele::net
