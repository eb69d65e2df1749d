#pragma once
// How much work something about schemas may cost, whoever wrote the schema and the instance.

#include <cstdint>

namespace stele::api {

/// One unit is about what it takes to look at one member of an object. Once it is exhausted it stays so.
class WorkBudget {
 public:
  explicit WorkBudget(std::uint64_t units) : left_(units) {}

  /// False if there was not as much left.
  bool spend(std::uint64_t units) {
    if (units > left_) {
      left_ = 0;
      exhausted_ = true;
      return false;
    }
    left_ -= units;
    return true;
  }
  [[nodiscard]] bool exhausted() const { return exhausted_; }
  [[nodiscard]] std::uint64_t left() const { return left_; }

 private:
  std::uint64_t left_;
  bool exhausted_ = false;
};

}  // namespace stele::api
