// SPDX-License-Identifier: Apache-2.0
//
// Several functions as one, for std::visit.
#pragma once

namespace retour {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

}  // namespace retour
