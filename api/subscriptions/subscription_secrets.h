#pragma once
// What a subscription knows that nobody may read: keys of signatures, values of header fields, client keys. In the key
// store, one file a subscription, never in the log.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/access/key_store.h"
#include "api/subscriptions/webhook_sender.h"
#include "api/subscriptions/webhook_signature.h"
#include "engine/base/ids.h"
#include "engine/base/result.h"

namespace stele::api {

struct SubscriptionSecrets {
  struct Signing {
    WebhookSecret secret;
    std::optional<Timestamp> until;  ///< signs no more from then on; none = the current one
  };
  std::vector<Signing> signing;                              ///< the current one first; empty unless a webhook
  std::vector<std::pair<std::string, std::string>> headers;  ///< custom fields and their values
  std::optional<WebhookTls> tls;

  /// Those that sign at `now`, the current one first.
  [[nodiscard]] std::vector<WebhookSecret> valid_at(Timestamp now) const;
};

/// Thread-safe. The folder is made when the first secret is written.
class SubscriptionSecretStore {
 public:
  /// `files` must outlive it.
  SubscriptionSecretStore(FileSystem& files, std::string folder);

  /// None if there are none. Corrupt: the file is not what put() writes.
  [[nodiscard]] Result<std::optional<SubscriptionSecrets>> find(std::string_view subscription_id) const;
  /// Durable on return.
  [[nodiscard]] Status put(std::string_view subscription_id, const SubscriptionSecrets& secrets);
  /// Nothing happens if there are none.
  [[nodiscard]] Status remove(std::string_view subscription_id);

 private:
  FileSystem& files_;
  const std::string folder_;
};

}  // namespace stele::api
