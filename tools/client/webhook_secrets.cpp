#include "tools/client/webhook_secrets.h"

#include <cstddef>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "tools/client/answers.h"

namespace stele::tools {

namespace {

constexpr std::string_view kBlank = " \t\r\n";

std::string_view webhook_secret_variable() {
  const char* const variable = std::getenv("STELE_WEBHOOK_SECRET");
  return variable == nullptr ? "" : variable;
}

Result<std::vector<api::WebhookSecret>> parse_secrets(std::string_view text, const std::string& file) {
  const std::string where = file.empty() ? "STELE_WEBHOOK_SECRET" : "the file";
  std::vector<api::WebhookSecret> secrets;
  for (std::size_t begin; (begin = text.find_first_not_of(kBlank)) != std::string_view::npos;) {
    text.remove_prefix(begin);
    const std::string_view one = text.substr(0, text.find_first_of(kBlank));
    text.remove_prefix(one.size());
    auto secret = api::WebhookSecret::parse(one);
    if (!secret) {
      return Error{ErrorKind::InvalidArgument,
                   where + " holds something that is no secret of a webhook (whsec_ and base64)", 0, file};
    }
    secrets.push_back(*std::move(secret));
  }
  if (secrets.empty()) return Error{ErrorKind::InvalidArgument, where + " holds no secret", 0, file};
  return secrets;
}

}  // namespace

void WebhookSecrets::declare(CommandLine& app) {
  app.add_text("--secret-file", file,
               "File with the secret of the subscription, or several, one a line; looked into at each delivery. Else\n"
               "STELE_WEBHOOK_SECRET has it; without one nothing is verified")
      .type("FILE")
      .environment("STELE_WEBHOOK_SECRET_FILE");
}

bool WebhookSecrets::given() const { return !file.empty() || !webhook_secret_variable().empty(); }

Result<std::vector<api::WebhookSecret>> WebhookSecrets::read() const {
  if (!file.empty()) {
    STELE_ASSIGN(const std::string text, read_file(file));
    return parse_secrets(text, file);
  }
  if (!given()) return std::vector<api::WebhookSecret>();
  return parse_secrets(webhook_secret_variable(), {});
}

}  // namespace stele::tools
