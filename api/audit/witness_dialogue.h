#pragma once
// What is said to one witness (C2SP tlog-witness), and what its answers mean. No threads, no I/O.

#include <cstdint>
#include <string>
#include <vector>

#include "api/endpoint/options.h"
#include "api/subscriptions/webhook_sender.h"
#include "engine/audit/signed_note.h"

namespace stele::api {

class WitnessDialogue {
 public:
  struct Verdict {
    enum class Kind : std::uint8_t {
      Cosigned,  ///< with `cosignature`
      AskAgain,  ///< from cosigned_size(), which was another one than was thought
      Failed,    ///< it may be better another time
      Disputed,  ///< the witness has cosigned another history
    };
    Kind kind = Kind::Failed;
    NoteSignature cosignature{};
    std::string detail{};  ///< why not, in words
  };

  explicit WitnessDialogue(WitnessSettings::Address address) : address_(std::move(address)) {}

  [[nodiscard]] const NoteVerifier& verifier() const { return address_.verifier; }
  /// Of the last checkpoint that the witness has cosigned, as far as is known; 0 = none is known.
  [[nodiscard]] std::uint64_t cosigned_size() const { return cosigned_size_; }
  /// The next request will find out.
  void forget_size() { cosigned_size_ = 0; }

  /// `path`: consistency of cosigned_size() with the checkpoint.
  [[nodiscard]] WebhookRequest request(const SignedNote& note, std::vector<Digest> path,
                                       std::chrono::milliseconds timeout) const;
  /// What the witness has answered, asked to cosign the checkpoint `note` of that size.
  [[nodiscard]] Verdict take(const WebhookAnswer& answer, const SignedNote& note, std::uint64_t size);

 private:
  [[nodiscard]] Verdict take_cosignatures(const std::string& lines, const SignedNote& note, std::uint64_t size);
  [[nodiscard]] Verdict take_size(const std::string& body, std::uint64_t size);

  const WitnessSettings::Address address_;
  std::uint64_t cosigned_size_ = 0;
};

}  // namespace stele::api
