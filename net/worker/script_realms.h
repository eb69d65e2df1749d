#pragma once
// What scripts find: a context for them, and realms in it whose globals have nothing that differs from run to run
// (script_engine.h says what). Only for script_engine.cpp.

#include <js/RootingAPI.h>
#include <js/experimental/JSStencil.h>
#include <jsapi.h>

#include <memory>

namespace stele::net {

class ScriptRealms {
 public:
  /// All of them are in `context`, which must outlive them.
  explicit ScriptRealms(JSContext* context);
  ~ScriptRealms();
  ScriptRealms(const ScriptRealms&) = delete;

  /// Once, before the first; false: there is no memory for it.
  [[nodiscard]] bool prepare();
  /// A new one; false: there is no memory for it, or an exception is pending.
  [[nodiscard]] bool make(JS::PersistentRootedObject& global, JS::PersistentRootedObject& object_prototype);

 private:
  class NoJobs;

  JSContext* const cx_;
  const std::unique_ptr<NoJobs> jobs_;
  RefPtr<JS::Stencil> prelude_;
};

}  // namespace stele::net
