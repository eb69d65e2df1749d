#include "net/worker/script_engine.h"

#include <js/Array.h>
#include <js/CallAndConstruct.h>
#include <js/CompilationAndEvaluation.h>
#include <js/CompileOptions.h>
#include <js/Context.h>
#include <js/Exception.h>
#include <js/GCAPI.h>
#include <js/Initialization.h>
#include <js/Interrupt.h>
#include <js/JSON.h>
#include <js/MemoryCallbacks.h>
#include <js/PropertyAndElement.h>
#include <js/Realm.h>
#include <js/SourceText.h>
#include <js/String.h>
#include <jsapi.h>

#include <atomic>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>

#include "net/worker/call_watch.h"
#include "net/worker/event_object.h"
#include "net/worker/script_error.h"
#include "net/worker/script_realms.h"
#include "net/worker/state_writer.h"

namespace stele::net {

namespace {

using namespace std::chrono_literals;
using api::FoldFailure;

/// Of reading or writing a state, however large it may be.
constexpr auto kHostTime = 2s;

FoldFailure make_failure(FoldFailure::Kind kind, std::string message) {
  FoldFailure failure;
  failure.kind = kind;
  failure.message = std::move(message);
  return failure;
}

FoldFailure out_of_memory_failure() { return failure_of(WorkerExit::Memory); }

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

}  // namespace

struct ScriptEngine::Impl {
  /// One fold: all that holds on to its realm.
  struct Fold {
    explicit Fold(JSContext* cx) : global(cx), handlers(cx), state(cx), object_prototype(cx) {}
    JS::PersistentRootedObject global;
    JS::PersistentRootedObject handlers;
    JS::PersistentRootedValue state;
    JS::PersistentRootedObject object_prototype;
    std::deque<JS::PersistentRootedValue> functions;
    std::unordered_map<std::string, std::size_t, TextHash, std::equal_to<>> by_type;
    std::optional<std::size_t> init, any, redacted;
    WorkerCounts counts;
    std::uint64_t events = 0;
    std::chrono::milliseconds call_time{};
    std::size_t state_bytes_max = 0;
  };

  /// What upcasters hold on to.
  struct Upcasters {
    explicit Upcasters(JSContext* cx) : global(cx), object_prototype(cx) {}
    struct One {
      One(JSContext* cx, JSScript* compiled) : script(cx, compiled) {}
      JS::PersistentRootedScript script;
      std::chrono::milliseconds call_time{};
      std::size_t result_bytes_max = 0;
    };
    JS::PersistentRootedObject global;
    JS::PersistentRootedObject object_prototype;
    std::deque<One> all;
  };

  Impl(JSContext* context, LastWords say)
      : cx(context),
        last_words(std::move(say)),
        watch({.interrupt = [context] { JS_RequestInterruptCallback(context); },
               .before_exit = [this](WorkerExit exit) { last_words(failure_of(exit), upcasting.load()); }}) {}

  /// On the watching thread.
  [[nodiscard]] FoldFailure failure_of(WorkerExit exit) const {
    FoldFailure failure = net::failure_of(exit);
    if (const std::uint64_t number = event_in_call.load(); number != 0) failure.event = number - 1;
    return failure;
  }

  [[nodiscard]] static Impl& of(JSContext* cx) { return *static_cast<Impl*>(JS_GetContextPrivate(cx)); }

  static bool interrupted(JSContext* cx) {
    const Impl& self = of(cx);
    return !self.out_of_memory && !self.watch.expired();
  }

  static void on_out_of_memory(JSContext* cx, void* data) {
    // What a script catches, the fold does not survive: without that, one took 1.2 GB.
    static_cast<Impl*>(data)->out_of_memory = true;
    JS_RequestInterruptCallback(cx);
  }

  bool set_up() {
    JS_SetContextPrivate(cx, this);
    JS::SetOutOfMemoryCallback(cx, &on_out_of_memory, this);
    if (!JS_AddInterruptCallback(cx, &interrupted) || !realms.prepare() || !prepare_event_objects(cx)) return false;
    // A first realm, so that all that is made once is there.
    Fold first(cx);
    if (!realms.make(first.global, first.object_prototype)) return false;
    first.global = nullptr;
    JS_GC(cx);
    return true;
  }

  /// What went wrong, and nothing of it is left in the engine. Calls nothing of the script.
  FoldFailure take_failure(FoldFailure::Kind kind) {
    if (!JS_IsExceptionPending(cx) || out_of_memory) {
      JS_ClearPendingException(cx);
      if (watch.expired() && !out_of_memory) return net::failure_of(WorkerExit::CallTime);
      return out_of_memory_failure();
    }
    FoldFailure failure = take_script_error(cx, kind);
    return out_of_memory ? out_of_memory_failure() : failure;
  }

  std::optional<FoldFailure> evaluate(Fold& to, std::string_view text) {
    const CallWatch::Limit timed(watch, to.call_time, WorkerExit::CallTime);
    JS::CompileOptions compile(cx);
    compile.setFileAndLine(kScriptName, 1);
    JS::SourceText<mozilla::Utf8Unit> source;
    if (!source.init(cx, text.data(), text.size(), JS::SourceOwnership::Borrowed)) {
      return take_failure(FoldFailure::Kind::Syntax);
    }
    JS::RootedScript script(cx, JS::Compile(cx, compile, source));
    if (!script) return take_failure(FoldFailure::Kind::Syntax);
    JS::RootedValue value(cx);
    if (!JS_ExecuteScript(cx, script, &value)) return take_failure(FoldFailure::Kind::Threw);
    bool is_array = false;
    if (value.isObject()) {
      JS::RootedObject object(cx, &value.toObject());
      if (!JS::IsArrayObject(cx, object, &is_array)) return take_failure(FoldFailure::Kind::Threw);
    }
    if (!value.isObject() || is_array || JS::IsCallable(&value.toObject())) {
      return make_failure(FoldFailure::Kind::Syntax, "the script's value is not an object of functions");
    }
    to.handlers = &value.toObject();
    JS::Rooted<JS::IdVector> ids(cx, JS::IdVector(cx));
    if (!JS_Enumerate(cx, to.handlers, &ids)) return take_failure(FoldFailure::Kind::Threw);
    JS::RootedId id(cx);
    JS::RootedValue function(cx);
    for (std::size_t i = 0; i < ids.length(); ++i) {
      id = ids[i];
      if (!JS_GetPropertyById(cx, to.handlers, id, &function)) return take_failure(FoldFailure::Kind::Threw);
      JS::RootedString key(cx, id.isString() ? id.toString() : nullptr);
      const std::string name =
          key ? beginning_of(cx, key) : (id.isInt() ? std::to_string(id.toInt()) : std::string("a symbol"));
      if (!function.isObject() || !JS::IsCallable(&function.toObject())) {
        return make_failure(FoldFailure::Kind::Syntax,
                            clean_text("the member " + name + " of the script's value is not a function", 256));
      }
      const std::size_t index = to.functions.size();
      to.functions.emplace_back(cx, function);
      if (name == "$init") {
        to.init = index;
      } else if (name == "$any") {
        to.any = index;
      } else if (name == "$redacted") {
        to.redacted = index;
      } else {
        to.by_type.emplace(name, index);
      }
    }
    if (out_of_memory) return take_failure(FoldFailure::Kind::Threw);
    return std::nullopt;
  }

  std::optional<FoldFailure> first_state(Fold& to, const std::optional<std::string_view>& given) {
    if (given) {
      const CallWatch::Limit timed(watch, kHostTime, WorkerExit::HostTime);
      JS::RootedString text(cx, new_script_string(cx, *given));
      JS::RootedValue state(cx);
      if (!text || !JS_ParseJSON(cx, text, &state)) return host_failure();
      to.state = state;
      return out_of_memory ? std::optional(host_failure()) : std::nullopt;
    }
    to.state.setObjectOrNull(JS_NewPlainObject(cx));
    if (to.state.isNull()) return host_failure();
    if (!to.init) return std::nullopt;
    const CallWatch::Limit timed(watch, to.call_time, WorkerExit::CallTime);
    return call(to, *to.init, JS::HandleValueArray::empty());
  }

  FoldFailure host_failure() {
    FoldFailure failure = take_failure(FoldFailure::Kind::Threw);
    if (failure.limit == "call-time") return net::failure_of(WorkerExit::HostTime);
    return failure;
  }

  /// Whatever it returns, but undefined, is the state. To be called with its time limited.
  std::optional<FoldFailure> call(Fold& to, std::size_t function, const JS::HandleValueArray& arguments) {
    JS::RootedValue this_value(cx, JS::ObjectValue(*to.handlers));
    JS::RootedValue result(cx);
    if (!JS::Call(cx, this_value, to.functions[function], arguments, &result) || out_of_memory) {
      return take_failure(FoldFailure::Kind::Threw);
    }
    if (!result.isUndefined()) to.state = result;
    return std::nullopt;
  }

  /// Which function an event goes to.
  static std::optional<std::size_t> function_for(const Fold& to, const WorkerEvent& event) {
    if (event.redacted && to.redacted) return to.redacted;
    const auto found = to.by_type.find(event.type);
    if (found != to.by_type.end()) return found->second;
    return to.any;
  }

  std::optional<FoldFailure> apply(Fold& to, const WorkerEvent& event) {
    const std::uint64_t number = to.events++;
    if (event.redacted) ++to.counts.redacted;
    const auto function = function_for(to, event);
    if (!function) {
      ++to.counts.ignored;
      return std::nullopt;
    }
    std::optional<FoldFailure> failure;
    {
      event_in_call.store(number + 1, std::memory_order_relaxed);
      const CallWatch::Limit timed(watch, to.call_time, WorkerExit::CallTime);
      JS::RootedValueArray<2> arguments(cx);
      arguments[0].set(to.state);
      JSObject* const object = new_event_object(cx, to.object_prototype, event);
      if (object != nullptr) {
        arguments[1].setObject(*object);
        failure = call(to, *function, arguments);
      } else {
        failure = take_failure(FoldFailure::Kind::Threw);
      }
    }
    event_in_call.store(0, std::memory_order_relaxed);
    if (failure) {
      failure->event = number;
    } else {
      ++to.counts.applied;
    }
    return failure;
  }

  /// In the realm of upcasters.
  std::optional<FoldFailure> compile_upcaster(std::string_view text, JS::MutableHandleScript script) {
    // An expression, which leaves nothing behind in the realm; on lines of its own, so that they are 1, 2 …
    text = text.substr(0, text.find_last_not_of("; \t\r\n") + 1);
    const std::string expression = "(\n" + std::string(text) + "\n)";
    JS::CompileOptions compile(cx);
    compile.setForceStrictMode().setFileAndLine(kScriptName, 0);
    JS::SourceText<mozilla::Utf8Unit> source;
    if (!source.init(cx, expression.data(), expression.size(), JS::SourceOwnership::Borrowed)) {
      return take_failure(FoldFailure::Kind::Syntax);
    }
    script.set(JS::Compile(cx, compile, source));
    if (!script) return take_failure(FoldFailure::Kind::Syntax);
    return std::nullopt;
  }

  /// The function that it is. To be called with its time limited.
  std::optional<FoldFailure> evaluate_upcaster(JS::HandleScript script, JS::MutableHandleValue function) {
    if (!JS_ExecuteScript(cx, script, function) || out_of_memory) return take_failure(FoldFailure::Kind::Threw);
    if (!function.isObject() || !JS::IsCallable(&function.toObject())) {
      return make_failure(FoldFailure::Kind::Syntax, "the script's value is not a function");
    }
    return std::nullopt;
  }

  std::variant<std::string, FoldFailure> upcast(const Upcasters& in, const Upcasters::One& upcaster,
                                                const WorkerEvent& event) {
    WorkerEvent envelope = event;
    envelope.data.reset();
    JS::RootedScript script(cx, upcaster.script);
    JS::RootedValue function(cx), result(cx);
    JS::RootedValueArray<2> arguments(cx);
    {
      const CallWatch::Limit timed(watch, kHostTime, WorkerExit::HostTime);
      JS::RootedString text(cx, new_script_string(cx, event.data.value_or("null")));
      JS::RootedValue data(cx);
      if (!text || !JS_ParseJSON(cx, text, &data)) return host_failure();
      arguments[0].set(data);
      JSObject* const object = new_event_object(cx, in.object_prototype, envelope);
      if (object == nullptr) return host_failure();
      arguments[1].setObject(*object);
    }
    {
      const CallWatch::Limit timed(watch, upcaster.call_time, WorkerExit::CallTime);
      if (auto failure = evaluate_upcaster(script, &function)) return *std::move(failure);
      if (!JS::Call(cx, JS::UndefinedHandleValue, function, arguments, &result) || out_of_memory) {
        return take_failure(FoldFailure::Kind::Threw);
      }
    }
    if (result.isUndefined()) result.set(arguments[0].get());
    return written(result, upcaster.result_bytes_max);
  }

  /// A value of the realm that is entered, as JSON.
  std::variant<std::string, FoldFailure> written(JS::HandleValue value, std::size_t bytes_max) {
    const CallWatch::Limit timed(watch, kHostTime, WorkerExit::HostTime);
    const StateWriter::Options options{.bytes_max = bytes_max,
                                       .is_event = &is_event_class,
                                       .complete_event = &complete_event_object,
                                       .expired = [this] { return watch.expired(); }};
    StateWriter writer(cx, options);
    const StateWriter::Outcome outcome = writer.write(value);
    if (out_of_memory) return host_failure();
    switch (outcome) {
      case StateWriter::Outcome::Written:
        return std::move(writer.json());
      case StateWriter::Outcome::NoJson: {
        FoldFailure failure = make_failure(FoldFailure::Kind::NoJson, clean_text(writer.message(), kMessageBytesMax));
        failure.pointer = clean_text(writer.pointer(), kPointerBytesMax);
        return failure;
      }
      case StateWriter::Outcome::TooLarge: {
        FoldFailure failure = make_failure(FoldFailure::Kind::Limit, "the state is too large");
        failure.limit = "state-size";
        return failure;
      }
      case StateWriter::Outcome::Expired:
        return net::failure_of(WorkerExit::HostTime);
      case StateWriter::Outcome::Failed:
        break;
    }
    return host_failure();
  }

  JSContext* const cx;
  const LastWords last_words;
  std::atomic<bool> upcasting{false};
  std::atomic<std::uint64_t> event_in_call{0};  ///< its number, from 1; 0 = none
  CallWatch watch;
  ScriptRealms realms{cx};
  bool out_of_memory = false;
  std::unique_ptr<Fold> fold;
  std::unique_ptr<Upcasters> upcasters;
};

std::unique_ptr<ScriptEngine> ScriptEngine::create(std::size_t heap_bytes_max, LastWords last_words) {
  JS::DisableJitBackend();  // or it reserves 2 GiB of address space, and needs memory that can be executed
  if (!JS_Init()) return nullptr;
  constexpr std::size_t kHeapBytesMax = std::size_t{1} << 31;
  JSContext* const cx = JS_NewContext(static_cast<std::uint32_t>(std::min(heap_bytes_max, kHeapBytesMax)));
  if (cx == nullptr) return nullptr;
  auto impl = std::make_unique<Impl>(cx, std::move(last_words));
  if (!impl->set_up()) return nullptr;
  return std::unique_ptr<ScriptEngine>(new ScriptEngine(std::move(impl)));
}

ScriptEngine::ScriptEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
// The process ends with it, and takes the context along.
ScriptEngine::~ScriptEngine() { (void)impl_.release(); }

std::string_view ScriptEngine::id() { return STELE_SCRIPT_ENGINE; }

std::optional<FoldFailure> ScriptEngine::begin(const WorkerStart& start) {
  end();
  impl_->watch.work();
  impl_->out_of_memory = false;
  impl_->fold = std::make_unique<Impl::Fold>(impl_->cx);
  begin_event_objects();
  Impl::Fold& fold = *impl_->fold;
  fold.call_time = std::chrono::milliseconds(start.call_time_ms);
  fold.state_bytes_max = start.state_bytes_max;
  std::optional<FoldFailure> failure;
  if (!impl_->realms.make(fold.global, fold.object_prototype)) {
    failure = impl_->take_failure(FoldFailure::Kind::Threw);
  } else {
    const JSAutoRealm in(impl_->cx, fold.global);
    failure = impl_->evaluate(fold, start.source);
    if (!failure) failure = impl_->first_state(fold, start.state);
  }
  impl_->watch.rest();
  return failure;
}

std::optional<FoldFailure> ScriptEngine::apply(std::span<const WorkerEvent> events) {
  Impl::Fold& fold = *impl_->fold;
  impl_->watch.work();
  std::optional<FoldFailure> failure;
  {
    const JSAutoRealm in(impl_->cx, fold.global);
    for (const WorkerEvent& event : events) {
      failure = impl_->apply(fold, event);
      if (failure) break;
    }
  }
  impl_->watch.rest();
  return failure;
}

std::variant<std::string, FoldFailure> ScriptEngine::state() {
  Impl::Fold& fold = *impl_->fold;
  impl_->watch.work();
  std::variant<std::string, FoldFailure> result;
  {
    const JSAutoRealm in(impl_->cx, fold.global);
    result = impl_->written(fold.state, fold.state_bytes_max);
  }
  impl_->watch.rest();
  return result;
}

std::optional<FoldFailure> ScriptEngine::add_upcaster(const WorkerUpcaster& upcaster) {
  Impl& impl = *impl_;
  impl.watch.work();
  impl.upcasting = true;
  if (!impl.fold && !impl.upcasters) impl.out_of_memory = false;
  if (!impl.upcasters) {
    impl.upcasters = std::make_unique<Impl::Upcasters>(impl.cx);
    if (!impl.realms.make(impl.upcasters->global, impl.upcasters->object_prototype)) {
      impl.upcasters.reset();
      auto failure = impl.take_failure(FoldFailure::Kind::Threw);
      impl.upcasting = false;
      impl.watch.rest();
      return failure;
    }
  }
  std::optional<FoldFailure> failure;
  {
    const JSAutoRealm in(impl.cx, impl.upcasters->global);
    const std::chrono::milliseconds call_time(upcaster.call_time_ms);
    const CallWatch::Limit timed(impl.watch, call_time, WorkerExit::CallTime);
    JS::RootedScript script(impl.cx);
    JS::RootedValue function(impl.cx);
    failure = impl.compile_upcaster(upcaster.source, &script);
    if (!failure) failure = impl.evaluate_upcaster(script, &function);
    if (!failure) {
      Impl::Upcasters::One& one = impl.upcasters->all.emplace_back(impl.cx, script);
      one.call_time = call_time;
      one.result_bytes_max = upcaster.result_bytes_max;
    }
  }
  impl.upcasting = false;
  impl.watch.rest();
  return failure;
}

bool ScriptEngine::has_upcaster(std::uint32_t number) const {
  return impl_->upcasters && number < impl_->upcasters->all.size();
}

std::variant<std::string, FoldFailure> ScriptEngine::upcast(std::uint32_t number, const WorkerEvent& event) {
  Impl& impl = *impl_;
  impl.watch.work();
  impl.upcasting = true;
  std::variant<std::string, FoldFailure> result;
  {
    const JSAutoRealm in(impl.cx, impl.upcasters->global);
    result = impl.upcast(*impl.upcasters, impl.upcasters->all[number], event);
  }
  impl.upcasting = false;
  impl.watch.rest();
  return result;
}

void ScriptEngine::end() {
  if (!impl_->fold && !impl_->upcasters) return;
  impl_->fold.reset();
  impl_->upcasters.reset();
  JS_GC(impl_->cx);
}

const WorkerCounts& ScriptEngine::counts() const { return impl_->fold->counts; }

}  // namespace stele::net
