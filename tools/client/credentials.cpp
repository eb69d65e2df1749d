#include "tools/client/credentials.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "api/json/json_text.h"
#include "tools/client/answers.h"

namespace stele::tools {

namespace {

constexpr std::size_t kTokenBytesMax = 8192;
constexpr std::size_t kTokenFileBytesMax = 64U << 10;

Result<std::string> checked(std::string text, const char* what, const std::string& file) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  text.erase(0, text.size() - api::without_byte_order_mark(text).size());
  while (!text.empty() && blank(text.back())) text.pop_back();
  const bool good = !text.empty() && text.size() <= kTokenBytesMax &&
                    std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  if (!good)
    return Error{.kind = ErrorKind::InvalidArgument, .message = std::string(what) + " holds no token", .file = file};
  return text;
}

}  // namespace

void Credentials::declare(CommandLine& app) {
  app.add_text("--token-file", token_file, "File with the API key or JWT to send; else STELE_TOKEN has it")
      .type("FILE")
      .environment("STELE_TOKEN_FILE")
      .group("Server");
}

Result<std::string> Credentials::token() const {
  if (!token_file.empty()) {
    auto content = read_file(token_file, kTokenFileBytesMax);
    if (!content) {
      Error error = std::move(content).error();
      error.message = "--token-file: " + error.message;
      return error;
    }
    return checked(std::move(content).value(), "the token file", token_file);
  }
  const char* const variable = std::getenv("STELE_TOKEN");
  if (variable == nullptr || *variable == '\0') return std::string();
  return checked(variable, "STELE_TOKEN", {});
}

}  // namespace stele::tools
