#pragma once
// A script's value as JSON. Only for script_engine.cpp.
//
// Not JSON.stringify(): that calls what a script has put there (toJSON, getters, proxies), and silently writes null, or
// nothing, where JSON has no word for a value. A state has to come back from its JSON as it was, or a fold that begins
// from it would differ from one that begins at the first event.

#include <jsapi.h>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace stele::net {

class StateWriter {
 public:
  struct Options {
    std::size_t bytes_max = 0;
    /// Classes of objects that are plain once `complete_event` has given them all their members.
    bool (*is_event)(const JSClass* clasp) = nullptr;
    bool (*complete_event)(JSContext* cx, JS::HandleObject event) = nullptr;
    std::function<bool()> expired;  ///< whether to give up
  };
  StateWriter(JSContext* cx, const Options& options);

  enum class Outcome {
    Written,
    NoJson,  ///< `pointer()` and `message()`
    TooLarge,
    Expired,
    Failed,  ///< the engine says why, or has no memory to say it
  };
  /// In the realm of the value.
  [[nodiscard]] Outcome write(JS::HandleValue value);

  [[nodiscard]] std::string& json() { return json_; }
  [[nodiscard]] const std::string& pointer() const { return pointer_; }
  [[nodiscard]] const std::string& message() const { return message_; }

 private:
  Outcome value(JS::HandleValue value);
  Outcome object(JS::HandleObject object);
  Outcome members(JS::HandleObject object);
  Outcome elements(JS::HandleObject array);
  Outcome number(double number);
  Outcome string(JSString* text);
  Outcome key(JS::HandleId id);
  Outcome no_json(std::string_view why);
  [[nodiscard]] Outcome bounded() const;
  /// At the front of the pointer, on the way out.
  void in_member(JS::HandleId id);
  void in_element(std::uint32_t index);

  JSContext* const cx_;
  const Options& options_;
  const JSClass* plain_class_ = nullptr;
  JS::RootedObject object_prototype_;
  JS::RootedObject array_prototype_;
  JS::RootedObjectVector open_;  ///< what the value lies in, from outside
  std::string json_;
  std::string pointer_;
  std::string message_;
};

}  // namespace stele::net
