// SPDX-License-Identifier: Apache-2.0
#include "model/fib6.h"

#include <algorithm>

namespace retour {

namespace {

Lookup not_modelled(const Flow& flow) {
  Lookup lookup;
  lookup.flow = flow;
  lookup.verdict = Verdict::invalid;
  lookup.errnum = EAFNOSUPPORT;
  return lookup;
}

}  // namespace

Lookup Fib6::output(const Flow& flow) const { return not_modelled(flow); }
Lookup Fib6::input(const Flow& flow) const { return not_modelled(flow); }
Lookup Fib6::forward(const Flow& flow) const { return not_modelled(flow); }

Decision Fib6::decide(const Flow& flow, std::vector<Step>* steps) const {
  return rules_.walk(
      flow, [](std::uint32_t) { return Found{}; }, steps);
}

std::vector<Considered> Fib6::consider(TableId, const Flow&) const { return {}; }

bool Fib6::owns(const Ip& ip) const {
  return std::ranges::any_of(snapshot_.addresses,
                             [&](const Address& own) { return own.local.address == ip; });
}

bool Fib6::owns(const Ip& ip, IfIndex link) const {
  return std::ranges::any_of(snapshot_.addresses, [&](const Address& own) {
    return own.link == link && own.local.address == ip;
  });
}

Destinations Fib6::destinations(const Flow& flow) const {
  Flow there = flow;
  return {std::vector<Bits>{}, [&](const Ip& dst) {
            there.dst = dst;
            return decide(there);
          }};
}

}  // namespace retour
