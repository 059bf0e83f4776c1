// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "app/options.h"
#include "lab/lab.h"

namespace retour {

/// The article's case from symptom to proof, in namespaces that are gone afterwards.
[[nodiscard]] int demo(const LabOptions& options, const Console& console);

}  // namespace retour
