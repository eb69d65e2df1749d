#pragma once
// What is done to a realm before a stranger's script sees it, in its own language. Run once in each realm, so it has to
// be quick. The global object has no Intl, WebAssembly, Atomics, SharedArrayBuffer, WeakRef or FinalizationRegistry
// (script_realms.cpp).

#include <string_view>

namespace stele::net {

inline constexpr std::string_view kScriptPrelude = R"js((() => {
  'use strict';
  const { freeze, seal, getPrototypeOf, defineProperty } = Object;
  const { construct } = Reflect;

  // What depends on a locale.
  for (const { prototype } of [Object, Array, Number, BigInt, Date, getPrototypeOf(Uint8Array)]) {
    delete prototype.toLocaleString;
  }
  delete Date.prototype.toLocaleDateString;
  delete Date.prototype.toLocaleTimeString;
  delete String.prototype.localeCompare;
  delete String.prototype.toLocaleLowerCase;
  delete String.prototype.toLocaleUpperCase;

  // What differs from run to run.
  delete Math.random;
  const Clocked = Date;
  const Clockless = function Date(...given) {
    if (new.target === undefined || given.length === 0) {
      throw new TypeError('there is no clock here: Date needs to be constructed with a time');
    }
    return construct(Clocked, given, new.target);
  };
  for (const name of ['parse', 'UTC']) {
    defineProperty(Clockless, name, { value: Clocked[name], writable: true, configurable: true });
  }
  defineProperty(Clockless, 'length', { value: 7 });
  defineProperty(Clockless, 'prototype', { value: Clocked.prototype, writable: false });
  Clocked.prototype.constructor = Clockless;
  defineProperty(globalThis, 'Date', { value: Clockless, writable: true, configurable: true });

  // A prototype is sealed and not frozen: with a frozen one, `this.name = …` in a class of errors would do nothing.
  const harden = (constructor) => {
    freeze(constructor);
    seal(constructor.prototype);
  };
  for (const constructor of [
    Object, Function, Array, Number, Boolean, String, Symbol, BigInt, Clockless, RegExp, Map, Set, Promise, Error,
  ]) {
    harden(constructor);
  }
  freeze(Clocked);
  freeze(Math);
  freeze(JSON);
  freeze(Reflect);
})();
)js";

}  // namespace stele::net
