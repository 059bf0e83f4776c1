// SPDX-License-Identifier: Apache-2.0
#include "text/json_lists.h"
#include "text/report_json.h"

namespace retour {

namespace {

std::string finish(const nlohmann::ordered_json& document) { return document.dump(2) + "\n"; }

}  // namespace

std::string json_confirmed(bool waited) {
  return finish({{"schema", "retour.confirm/1"}, {"confirmed", waited}});
}

std::string json_rolled_back(bool waited, std::size_t changes,
                             const std::vector<std::string>& left_alone) {
  return finish({{"schema", "retour.rollback/1"},
                 {"rolled_back", waited},
                 {"changes", changes},
                 {"left_alone", texts_json(left_alone)}});
}

std::string json_undone(const Snapshot& host, std::size_t changes,
                        const std::vector<std::string>& left_alone, std::size_t files) {
  return finish({{"schema", "retour.undo/1"},
                 {"host", printable(host.host)},
                 {"changes", changes},
                 {"files", files},
                 {"left_alone", texts_json(left_alone)}});
}

}  // namespace retour
