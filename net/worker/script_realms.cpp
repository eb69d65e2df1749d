#include "net/worker/script_realms.h"

#include <js/CallAndConstruct.h>
#include <js/CompilationAndEvaluation.h>
#include <js/CompileOptions.h>
#include <js/Context.h>
#include <js/ContextOptions.h>
#include <js/GCAPI.h>
#include <js/GlobalObject.h>
#include <js/Initialization.h>
#include <js/Object.h>
#include <js/Principals.h>
#include <js/Promise.h>
#include <js/Realm.h>
#include <js/RealmOptions.h>
#include <js/SourceText.h>
#include <js/Stack.h>
#include <js/String.h>
#include <jsfriendapi.h>

#include <cstddef>

#include "net/worker/script_prelude.h"

namespace stele::net {

namespace {

/// In error reports, to tell it from the script.
constexpr const char* kPreludeName = "stele";
/// Of the 8 MiB that the thread has (sandbox.cpp). Deep recursion of a script ends here, as an error of the script.
constexpr std::size_t kStackBytes = 1U << 20;

// The global object. Standard classes are made when they are first looked for, except those that are not to be found.

bool is_hidden(jsid id) {
  if (!id.isString()) return false;
  JSLinearString* const name = id.toLinearString();
  return JS_LinearStringEqualsAscii(name, "Intl") || JS_LinearStringEqualsAscii(name, "WebAssembly");
}

bool resolve_global(JSContext* cx, JS::HandleObject global, JS::HandleId id, bool* resolved) {
  if (is_hidden(id)) {
    *resolved = false;
    return true;
  }
  return JS_ResolveStandardClass(cx, global, id, resolved);
}

bool enumerate_global(JSContext* cx, JS::HandleObject global, JS::MutableHandleIdVector ids, bool enumerable_only) {
  JS::RootedIdVector all(cx);
  if (!JS_NewEnumerateStandardClasses(cx, global, &all, enumerable_only)) return false;
  for (std::size_t i = 0; i < all.length(); ++i) {
    if (!is_hidden(all[i]) && !ids.append(all[i])) return false;
  }
  return true;
}

bool may_resolve_global(const JSAtomState& names, jsid id, JSObject* global) {
  return JS_MayResolveStandardClass(names, id, global);
}

constexpr JSClassOps kGlobalOps = {
    nullptr, nullptr, nullptr, enumerate_global,        resolve_global, may_resolve_global,
    nullptr, nullptr, nullptr, JS_GlobalObjectTraceHook};
constexpr JSClass kGlobalClass = {"global", JSCLASS_GLOBAL_FLAGS, &kGlobalOps, nullptr, nullptr, nullptr};

bool no_code_from_text(JSContext* /*cx*/, JS::RuntimeCode /*kind*/, JS::HandleString /*code*/) { return false; }
constexpr JSSecurityCallbacks kSecurity = {no_code_from_text, nullptr};

}  // namespace

/// What waits for a promise never runs: a handler is a function of state and event, and has no "later".
class ScriptRealms::NoJobs final : public JS::JobQueue {
 public:
  JSObject* getIncumbentGlobal(JSContext* cx) override { return JS::CurrentGlobalOrNull(cx); }
  bool enqueuePromiseJob(JSContext*, JS::HandleObject, JS::HandleObject, JS::HandleObject, JS::HandleObject) override {
    return true;
  }
  void runJobs(JSContext*) override {}
  [[nodiscard]] bool empty() const override { return true; }

 protected:
  js::UniquePtr<SavedJobQueue> saveJobQueue(JSContext* /*cx*/) override { return js::MakeUnique<SavedJobQueue>(); }
};

ScriptRealms::ScriptRealms(JSContext* context) : cx_(context), jobs_(std::make_unique<NoJobs>()) {}

ScriptRealms::~ScriptRealms() = default;

bool ScriptRealms::prepare() {
  JS_SetNativeStackQuota(cx_, kStackBytes);
  JS::ContextOptionsRef(cx_).setAsmJS(false).setWasm(false).setSourcePragmas(false).setAsyncStack(false);
  JS::SetUseFdlibmForSinCosTan(true);  // those of the C library differ from machine to machine
  JS_SetGCParameter(cx_, JSGC_INCREMENTAL_GC_ENABLED, 0);
  JS_SetSecurityCallbacks(cx_, &kSecurity);
  JS::SetJobQueue(cx_, jobs_.get());
  return JS::InitSelfHostedCode(cx_);
}

bool ScriptRealms::make(JS::PersistentRootedObject& global, JS::PersistentRootedObject& object_prototype) {
  JS::RealmOptions options;
  options.creationOptions().setNewCompartmentAndZone().setSharedMemoryAndAtomicsEnabled(false).setWeakRefsEnabled(
      JS::WeakRefSpecifier::Disabled);
  global = JS_NewGlobalObject(cx_, &kGlobalClass, nullptr, JS::DontFireOnNewGlobalHook, options);
  if (!global) return false;
  const JSAutoRealm in(cx_, global);
  object_prototype = JS::GetRealmObjectPrototype(cx_);
  if (!object_prototype) return false;
  if (!prelude_) {
    JS::CompileOptions compile(cx_);
    compile.setFileAndLine(kPreludeName, 1).setForceFullParse();
    JS::SourceText<mozilla::Utf8Unit> source;
    if (!source.init(cx_, kScriptPrelude.data(), kScriptPrelude.size(), JS::SourceOwnership::Borrowed)) return false;
    prelude_ = JS::CompileGlobalScriptToStencil(cx_, compile, source);
    if (!prelude_) return false;
  }
  JS::RootedScript script(cx_, JS::InstantiateGlobalStencil(cx_, JS::InstantiateOptions(), prelude_));
  return script && JS_ExecuteScript(cx_, script);
}

}  // namespace stele::net
