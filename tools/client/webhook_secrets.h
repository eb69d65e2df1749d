#pragma once
// The secrets of webhooks that a command receives.

#include <string>
#include <vector>

#include "api/subscriptions/webhook_signature.h"
#include "engine/base/result.h"
#include "tools/cli/command_line.h"

namespace stele::tools {

struct WebhookSecrets {
  std::string file;

  /// `--secret-file`; `*this` must outlive the parsing.
  void declare(CommandLine& app);
  /// Whether there is a file to look into, or STELE_WEBHOOK_SECRET.
  [[nodiscard]] bool given() const;
  /// What --secret-file holds now, else STELE_WEBHOOK_SECRET, else none: secrets with white space between them. Never
  /// on the command line, where other users could see them. NotFound if there is no such file, InvalidArgument if there
  /// is anything else in it.
  [[nodiscard]] Result<std::vector<api::WebhookSecret>> read() const;
};

}  // namespace stele::tools
