// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "hosts.h"
#include "plan/describe.h"

namespace retour {
namespace {

using testing::bare_host;
using testing::prefix;
using testing::route;
using testing::rule;

TEST(Describe, TablesOfTheKernelByNameOthersAsTheHostKnowsThem) {
  Snapshot host = bare_host();
  host.table_names[TableId{200}] = "table0";
  EXPECT_EQ(table_word(table_main), "main");
  EXPECT_EQ(table_word(table_local), "local");
  EXPECT_EQ(table_word(table_default), "default");
  EXPECT_EQ(table_word(TableId{200}), "200");
  EXPECT_EQ(table_word(TableId{200}, &host), "table0");
  EXPECT_EQ(table_word(TableId{201}, &host), "201");
}

TEST(Describe, AGuardInAMessageAndAsACommand) {
  Rule guard = rule(31000, table_main);
  guard.to = prefix("29.28.192.0/20");
  guard.suppress_prefixlength = 20;
  guard.protocol = protocol_retour;
  const Change change{AddRule{guard}, ""};
  EXPECT_EQ(describe(change),
            "add rule 31000 from all to 29.28.192.0/20 lookup main suppress_prefixlength 20");
  EXPECT_EQ(ip_command(change, bare_host()),
            "rule add priority 31000 from all to 29.28.192.0/20 lookup 254 "
            "suppress_prefixlength 20 protocol 213");
}

TEST(Describe, ARouteInAMessageAndAsACommand) {
  Route connected = route("29.28.192.0/20", loopback_index, table_main);
  connected.metric = 105;
  const Change change{DeleteRoute{connected}, ""};
  EXPECT_EQ(describe(change), "delete route 29.28.192.0/20 dev #1 table main metric 105");
  EXPECT_EQ(ip_command(change, bare_host()),
            "route del 29.28.192.0/20 dev lo table 254 metric 105 scope link protocol 2");
}

TEST(Describe, AMaskIsSaidWhereItIsNotTheWhole) {
  Rule marked = rule(100, TableId{7});
  marked.fwmark = 5;
  marked.fwmask = 0xffffffffU;
  marked.dscp = 8;
  EXPECT_EQ(rule_words(marked), "from all dscp 8 fwmark 0x5 lookup 7");
  marked.fwmask = 0xff;
  marked.dscp_mask = 0x38;
  EXPECT_EQ(rule_words(marked), "from all dscp 8/0x38 fwmark 0x5/0xff lookup 7");
  Rule labelled = rule(100, TableId{7});
  labelled.flowlabel = 0x12345;
  labelled.flowlabel_mask = 0xfffff;
  EXPECT_EQ(rule_words(labelled), "from all flowlabel 0x12345 lookup 7");
  labelled.flowlabel_mask = 0xfff;
  EXPECT_EQ(rule_words(labelled), "from all flowlabel 0x12345/0xfff lookup 7");
}

}  // namespace
}  // namespace retour
