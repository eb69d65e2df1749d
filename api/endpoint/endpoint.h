#pragma once
// An endpoint: one line of the endpoint table. It says all that the prologue of the service has to know; what is meant
// by the request is the handler's affair.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "api/access/role.h"
#include "api/http/http.h"

namespace stele::api {

class Call;
struct AuditedAction;
struct ServiceOptions;

enum class BodyForm : std::uint8_t {
  None,    ///< whatever is sent is not looked at
  Json,    ///< JSON, not compressed, or nothing at all
  Events,  ///< JSON or NDJSON, perhaps compressed
  Script,  ///< JavaScript, not compressed
};

enum class AnswerForm : std::uint8_t {
  Any,          ///< for probes: `Accept` is not looked at
  Json,         ///< else 406
  JsonOrLines,  ///< what the client prefers; else 406
  EventStream,  ///< else 406
};

enum class QueryUse : std::uint8_t {
  Refused,  ///< 400 for any parameter
  Read,     ///< the handler reads them, and refuses those that it does not know
  Ignored,  ///< for probes, which add what they like
};

/// What an endpoint takes.
struct EndpointLimits {
  BodyForm body = BodyForm::None;
  std::size_t body_bytes_max = 0;  ///< 413 beyond; of a compressed body the handler sees to it, which decompresses it
  AnswerForm answer = AnswerForm::Json;
  QueryUse query = QueryUse::Refused;
};

enum class RunsOn : std::uint8_t {
  IoThread,        ///< must not block, and takes microseconds; may go on elsewhere
  ReadPool,        ///< may block on a cold disk; 503 if too much waits for the pool
  ReadPoolIfFree,  ///< takes time, but is needed just when the pool is full: then on the I/O thread
};

/// Answers the call, sooner or later, on any thread.
using EndpointHandler = std::function<void(const std::shared_ptr<Call>&)>;
/// A call that has room for what its handler keeps with it, in one piece of memory.
using CallMaker = std::shared_ptr<Call> (*)(const Request&, Reply, const ServiceOptions&);

struct Endpoint {
  Method method;             ///< not Head, which follows Get, nor Options
  std::string_view pattern;  ///< `{name}` is one segment, `{name...}` all that follow; static storage
  Permission permission;
  EndpointLimits limits;
  RunsOn runs_on;
  EndpointHandler handler;
  const AuditedAction* action =
      nullptr;                    ///< what the audit trail calls it (audited_action.h); null = it is not audited
  CallMaker make_call = nullptr;  ///< null = an ordinary one
};

}  // namespace stele::api
