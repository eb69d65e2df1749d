#include "api/subscriptions/webhook_sender.h"

namespace stele::api {

std::string_view name_of(WebhookAnswer::Outcome outcome) {
  using Outcome = WebhookAnswer::Outcome;
  switch (outcome) {
    case Outcome::Answered:
      return "answered";
    case Outcome::Unsendable:
      return "unsendable";
    case Outcome::AddressRefused:
      return "address-refused";
    case Outcome::NameFailed:
      return "name-failed";
    case Outcome::ConnectFailed:
      return "connect-failed";
    case Outcome::TlsFailed:
      return "tls-failed";
    case Outcome::TimedOut:
      return "timed-out";
    case Outcome::BrokenOff:
      return "broken-off";
    case Outcome::NotHttp:
      return "not-http";
    case Outcome::HeadTooLarge:
      return "head-too-large";
    case Outcome::Busy:
      return "busy";
    case Outcome::Cancelled:
      return "cancelled";
  }
  return "unknown";
}

}  // namespace stele::api
