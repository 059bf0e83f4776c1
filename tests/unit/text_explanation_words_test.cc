// SPDX-License-Identifier: Apache-2.0
//
// What an explanation and a diagnosis say of one lookup, in words and in JSON.
#include <gtest/gtest.h>

#include <cerrno>

#include "model/answer.h"

namespace retour {
namespace {

TEST(ExplanationWords, ErrorsHaveTheirNames) {
  EXPECT_EQ(errno_name(EXDEV), "EXDEV");  // the answer of kernel 6.1 to a strict gate
  EXPECT_EQ(errno_name(EMSGSIZE), "EMSGSIZE");
  EXPECT_EQ(errno_name(EPIPE), "errno 32");
}

}  // namespace
}  // namespace retour
