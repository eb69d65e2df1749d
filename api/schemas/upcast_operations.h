#pragma once
// What can be done to the data of an event without a script, to bring it from one version of its schema to the next.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace stele::api {

/// Why a list of operations is none.
struct OperationError {
  std::string pointer;  ///< RFC 6901 in the list
  std::string detail;   ///< a sentence
};

/// Why operations cannot be done to some data.
struct UpcastError {
  std::string pointer;  ///< RFC 6901 in the data
  std::string detail;   ///< a sentence that names the operation
};

/// A list of operations, done in their order. Paths are JSON pointers (RFC 6901).
///
///     {"op":"rename","path":P,"to":N}        the member at P has the name N; one that had it goes
///     {"op":"move","from":F,"path":P}        what is at F is at P instead, and replaces what was there
///     {"op":"copy","from":F,"path":P}        what is at F is at P too
///     {"op":"remove","path":P}               what is at P goes
///     {"op":"wrap","path":P}                 what is at P is the only element of an array there
///     {"op":"set","path":P,"value":V}        V is at P
///     {"op":"default","path":P,"value":V}    V is at P if nothing was, not even null
///     {"op":"map","path":P,"values":{T:V}}   V is at P if the text T was, or a number, true, false or null written T
///
/// What is not there is left alone: a P of rename, remove, wrap or map, an F. Where something is put, objects that are
/// missing on the way are made; the element `-` of an array, or the number behind its last, is a new one. A value on
/// the way that is neither object nor array, an element that is not there, and a P of rename whose parent is an array
/// are errors of the data.
///
/// Tokens stay as they were written; white space outside strings goes. Of a name that is repeated in an object the last
/// member counts. Immutable; any thread.
class UpcastOperations {
 public:
  static constexpr std::size_t kOperationsMax = 1'000;
  static constexpr std::size_t kPointerDepthMax = 64;  ///< tokens of a path
  static constexpr std::size_t kDepthMax = 512;        ///< of what comes out
  static constexpr std::size_t kResultBytesMax = 16U << 20;
  static constexpr std::uint64_t kWorkMax = 4'000'000;  ///< for one event: WorkBudget

  /// `json` is valid JSON and need not outlive the call.
  [[nodiscard]] static std::variant<UpcastOperations, OperationError> parse(std::string_view json);
  UpcastOperations(UpcastOperations&&) noexcept;
  UpcastOperations& operator=(UpcastOperations&&) noexcept;
  ~UpcastOperations();

  /// `data` is valid JSON.
  [[nodiscard]] std::variant<std::string, UpcastError> apply(std::string_view data) const;

 private:
  struct Operation;
  class Parser;

  UpcastOperations();

  std::vector<Operation> operations_;
};

}  // namespace stele::api
