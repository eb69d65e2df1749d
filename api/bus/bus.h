#pragma once
// What the event bus needs of the outside: somebody who carries messages to whoever listens.

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/ids.h"

namespace stele::api {

struct BusHealth {
  bool connected = false;
  Timestamp since;         ///< of the last change
  std::string last_error;  ///< in words without secrets; empty if there was none
  std::uint64_t connects = 0;
  std::uint64_t waiting = 0;    ///< messages under way
  std::uint64_t published = 0;  ///< messages that were taken and arrived
  std::uint64_t lost = 0;       ///< messages that were taken and did not, as far as is known
};

/// At most once, in the order of the calls. Calls from any thread return at once.
class Bus {
 public:
  virtual ~Bus() = default;
  /// Whether publish() could do anything: so that nothing is made ready for nobody.
  [[nodiscard]] virtual bool connected() const = 0;
  /// False if the other side is away or too slow: the message is not published then, nor later.
  [[nodiscard]] virtual bool publish(std::string_view channel, std::string_view message) = 0;
  [[nodiscard]] virtual BusHealth health() const = 0;
};

}  // namespace stele::api
