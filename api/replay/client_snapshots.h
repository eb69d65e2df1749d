#pragma once
// States that clients folded themselves and want kept: events of `$snapshot/<aggregateId>` (`$StateStored`), only given
// back and never folded from.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "api/http/problem.h"
#include "api/replay/handler_registry.h"
#include "engine/base/clock.h"
#include "engine/base/read_budget.h"
#include "engine/store/store.h"

namespace stele::api {

inline constexpr std::size_t kClientStateBytesMax = 1U << 20;

/// `state` is JSON. Durable on return. Gives the answer's body.
[[nodiscard]] std::variant<std::string, Problem> store_client_state(Store& store, const AggregateSummary& aggregate,
                                                                    SequenceNumber sequence, std::string_view state,
                                                                    const ChangedBy& by, const Clock& clock);

/// The one stored last among those at or before `at_most`, as the answer's body. May block.
[[nodiscard]] std::variant<std::string, Problem> find_client_state(const ReadView& view,
                                                                   const AggregateSummary& aggregate,
                                                                   SequenceNumber at_most, ReadBudget budget);

}  // namespace stele::api
