#include "tools/client/credentials.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>

#include "api/json/json_text.h"

namespace stele::tools {

namespace {

constexpr std::size_t kTokenBytesMax = 8192;

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
    std::ifstream file(token_file, std::ios::binary);
    std::array<char, kTokenBytesMax + 2> content{};
    if (!file) return os_error(errno, "cannot open the token file", token_file);
    file.read(content.data(), content.size());
    return checked({content.data(), static_cast<std::size_t>(file.gcount())}, "the token file", token_file);
  }
  const char* const variable = std::getenv("STELE_TOKEN");
  if (variable == nullptr || *variable == '\0') return std::string();
  return checked(variable, "STELE_TOKEN", {});
}

}  // namespace stele::tools
