// SPDX-License-Identifier: Apache-2.0
//
// Every address of one lab host against every address of another, on the wire, and the doors as
// the position of the NIC: the table of measured kernels reads the same way.
#pragma once

#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "lab/lab.h"
#include "os/prober_raw.h"

namespace retour::testing {

inline std::string lab_name(const std::string& tag) {
  return "rt-" + tag + "-" + std::to_string(getpid());
}

/// NIC positions along the way: request leaves, request arrives, reply leaves, reply arrives.
/// -1: not seen there; -2: seen on several.
using Path = std::vector<int>;

struct Crossing {
  int from{};
  int to{};
  Observation seen;
  Path path;
};

class Matrix {
 public:
  /// Empty if a part could not be opened; the reason is then a test failure.
  static std::unique_ptr<Matrix> open(const LabHost& from, const LabHost& to);

  /// From the given positions of `from` to all addresses of `to`.
  std::vector<Crossing> cross(const std::vector<int>& from, const ProbeOptions& options);
  /// Every neighbour entry of both hosts forgotten.
  void forget();

  [[nodiscard]] RawProber& prober() { return *prober_; }
  [[nodiscard]] const std::vector<IfIndex>& links() const { return here_; }

 private:
  LabHost from_, to_;
  std::vector<IfIndex> here_, there_;
  std::unique_ptr<RawProber> prober_;
};

/// Rules and tables as the article has them, in the words of iproute2.
void cure(const LabHost& host);

}  // namespace retour::testing
