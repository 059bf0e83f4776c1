// SPDX-License-Identifier: Apache-2.0
//
// Names come from the kernel, from files and from strangers, and may hold any byte. What reaches a
// terminal or a JSON document goes through here first: no escape sequence, no control character, no
// text that runs the other way.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace retour {

/// For messages. Control bytes (newline and tab too) and bytes that are not UTF-8 become `\xNN`,
/// control, bidirectional and invisible code points `\u{N}`; other text, the backslash included,
/// stays. Idempotent, so escaping a whole message twice does no harm.
[[nodiscard]] std::string printable(std::string_view text);

/// Reversible: as above, but every escape is `\xNN`, one a byte, and a backslash is doubled. The
/// result is valid UTF-8. JSON documents hold names in this form.
[[nodiscard]] std::string escape(std::string_view text);
/// The inverse of escape(); nothing when a backslash is not followed by `\` or `xNN`.
[[nodiscard]] std::optional<std::string> unescape(std::string_view text);

}  // namespace retour
