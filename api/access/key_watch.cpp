#include "api/access/key_watch.h"

#include <exception>
#include <utility>

namespace stele::api {

KeyWatch::KeyWatch(Authenticator& authenticator, KeyFileTold told, std::chrono::milliseconds interval)
    : authenticator_(authenticator) {
  authenticator_.tell(std::move(told));
  thread_.start(interval, [this] {
    look();
    return true;
  });
}

KeyWatch::~KeyWatch() {
  thread_.stop();
  look();
  authenticator_.tell({});
}

void KeyWatch::look() noexcept {
  try {
    authenticator_.look();
  } catch (const std::exception&) {  // no memory: the next look tells it
  }
}

}  // namespace stele::api
