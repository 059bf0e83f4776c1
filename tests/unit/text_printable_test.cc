// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>

#include "text/printable.h"

namespace retour {
namespace {

TEST(Printable, LeavesTextAlone) {
  EXPECT_EQ(printable("enp1s0f0 — réseau 網路 \\ \"x\""), "enp1s0f0 — réseau 網路 \\ \"x\"");
}

TEST(Printable, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(printable("a\x1b[31mb\n\t\x7f"), "a\\x1b[31mb\\x0a\\x09\\x7f");
  EXPECT_EQ(printable(std::string("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("\xc2\x9b"), "\\u{9b}");             // C1: CSI
  EXPECT_EQ(printable("\xe2\x80\xae"), "\\u{202e}");       // right-to-left override
  EXPECT_EQ(printable("\xe2\x81\xa6"), "\\u{2066}");       // isolate
  EXPECT_EQ(printable("\xf3\xa0\x81\x81"), "\\u{e0041}");  // tag
  EXPECT_EQ(printable("\xef\xbb\xbf"), "\\u{feff}");       // zero width
}

TEST(Printable, EscapesWhatIsNotUtf8) {
  EXPECT_EQ(printable("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");           // overlong '/'
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
  EXPECT_EQ(printable("\xe2\x80"), "\\xe2\\x80");           // cut off
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
}

TEST(Printable, EscapeReversesAndPrintableIsIdempotent) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (unsigned i = random() % 16; i > 0; --i) text += static_cast<char>(random());
    if (round % 3 == 0) text += "\\x1b";
    const std::string escaped = escape(text);
    EXPECT_EQ(unescape(escaped), text);
    EXPECT_EQ(printable(escaped), escaped) << "escape() left something harmful";
    EXPECT_EQ(printable(printable(text)), printable(text));
  }
  EXPECT_EQ(unescape("\\"), std::nullopt);
  EXPECT_EQ(unescape("\\x1"), std::nullopt);
  EXPECT_EQ(unescape("\\xg0"), std::nullopt);
  EXPECT_EQ(unescape("\\n"), std::nullopt);
}

}  // namespace
}  // namespace retour
