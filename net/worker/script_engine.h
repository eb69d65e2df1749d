#pragma once
// Folds events with a script, in this process (SpiderMonkey 102, interpreter only). Nothing here keeps a script from
// taking memory or from not ending: that is for the process around it (sandbox.h, call_watch.h), and so this must not
// be used in a server.
//
// What a script finds is ECMAScript 2022 without what differs from run to run or from machine to machine: no clock, no
// Math.random, no time zone but UTC, no Intl and no functions that depend on a locale, no WeakRef, no shared memory. No
// eval in any form, no import, no WebAssembly. Promises exist, and what waits for one never runs. Built-in
// constructors are frozen and their prototypes sealed: a script may override what it finds there, and add nothing.
//
// Every fold has a realm of its own. One engine a process, made and used by one thread.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "api/replay/fold.h"
#include "net/worker/worker_protocol.h"

namespace stele::net {

class ScriptEngine {
 public:
  /// `upcasting`: it is an upcaster that does not stop.
  using LastWords = std::function<void(const api::FoldFailure&, bool upcasting)>;
  /// Initialises the engine; null if there is no memory for it. `heap_bytes_max` bounds its garbage-collected heap,
  /// which is only a part of what a script can take. `last_words` is called on another thread, with why the fold fails,
  /// when a call does not stop: the process ends after it.
  [[nodiscard]] static std::unique_ptr<ScriptEngine> create(std::size_t heap_bytes_max, LastWords last_words);
  ~ScriptEngine();
  ScriptEngine(const ScriptEngine&) = delete;
  ScriptEngine& operator=(const ScriptEngine&) = delete;

  /// Name and version of the engine, and of what is left out of it here.
  [[nodiscard]] static std::string_view id();

  /// Makes a realm, evaluates the source, makes the first state. What failed before is forgotten.
  [[nodiscard]] std::optional<api::FoldFailure> begin(const WorkerStart& start);
  /// Up to the first that fails, which ends the fold.
  [[nodiscard]] std::optional<api::FoldFailure> apply(std::span<const WorkerEvent> events);
  [[nodiscard]] std::variant<std::string, api::FoldFailure> state();

  /// Evaluates the source of an upcaster (api/records/upcast_scripts.h), in a realm that is not that of the fold; it
  /// has the next number, from 0, until the fold ends, or what there is without one.
  [[nodiscard]] std::optional<api::FoldFailure> add_upcaster(const WorkerUpcaster& upcaster);
  [[nodiscard]] bool has_upcaster(std::uint32_t number) const;
  /// The data of the event, upcast. After a failure but that of a limit others may be.
  [[nodiscard]] std::variant<std::string, api::FoldFailure> upcast(std::uint32_t number, const WorkerEvent& event);

  /// Lets go of the fold, of all upcasters, and of their memory.
  void end();

  /// Since begin().
  [[nodiscard]] const WorkerCounts& counts() const;

 private:
  struct Impl;
  explicit ScriptEngine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace stele::net
