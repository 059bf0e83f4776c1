// SPDX-License-Identifier: Apache-2.0
//
// The world failing, as a value. A domain outcome ("no route") is never an Error; a bug of ours
// asserts. Nothing throws across a layer.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace retour {

enum class ErrorKind {
  usage,          ///< the command line or a request makes no sense
  parse,          ///< input text is malformed; `doing` names file, line and token
  schema,         ///< input is well-formed but of a version this program does not know
  contradiction,  ///< input contradicts itself
  not_found,      ///< an object that was named does not exist
  permission,     ///< a privilege is missing; `hint` says which
  changed,        ///< the world moved under us and would not hold still
  system,       ///< a system call or the kernel failed; `errnum` and the kernel's own words say how
  interrupted,  ///< the user stopped it
};

/// Reads as "<doing>: <why>"; `hint`, when there is one, is what to do about it.
struct Error {
  ErrorKind kind{ErrorKind::system};
  int errnum{};       ///< errno value, 0 when none applies
  std::string doing;  ///< "add rule 1000 from 10.9.0.2 lookup 100"
  std::string why;    ///< "Operation not permitted", or the kernel's extended acknowledgement
  std::string hint{};

  [[nodiscard]] std::string message() const { return why.empty() ? doing : doing + ": " + why; }
};

template <class T = void>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace retour
