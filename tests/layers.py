#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The architecture as a check: which folder may include which, and what a pure layer must not touch.

CMake's link edges stop a missing symbol; this stops an include. One line "file:line: what" for each
violation. `--self-test` feeds it a tree with one violation of each kind and wants each reported.
"""

import pathlib
import re
import sys
import tempfile

BELOW = {
    "base": [],
    "model": ["base"],
    "diagnose": ["model", "base"],
    "plan": ["diagnose", "model", "base"],
    "text": ["plan", "diagnose", "model", "base"],
    "port": ["plan", "diagnose", "model", "base"],
    "engine": ["port", "plan", "diagnose", "model", "base"],
    "os": ["port", "plan", "diagnose", "model", "base"],
    "lab": ["os", "engine", "text", "port", "plan", "diagnose", "model", "base"],
    "app": ["lab", "os", "engine", "text", "port", "plan", "diagnose", "model", "base"],
}
PURE = ("base", "model", "diagnose", "plan", "text")
# inet_pton and inet_ntop are arithmetic that happens to live in a socket header.
ALLOWED = {("src/base/ip.cc", "arpa/inet.h")}
IMPURE_HEADER = re.compile(
    r"(sys|net|netinet|netpacket|arpa|libmnl|spdlog|asio|systemd)/|unistd\.h|fcntl\.h|poll\.h|sched\.h"
    r"|signal\.h|c?signal$|time\.h|ctime$|stdio\.h|cstdio$|iostream$|fstream$|filesystem$"
    r"|thread$|mutex$|shared_mutex$|condition_variable$|atomic$|future$|random$"
)
IMPURE_CODE = re.compile(r"::now\(|std::c(out|err|log|in)\b|\bfmt::print\(|\bf?printf\(|\bgetenv\(|\babort\(|\bexit\(")
VAGUE_NAME = re.compile(r"^\s*(?:class|struct)\s+(\w*(?:Manager|Helper|Handler|Util|Utils))\b")
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
LIMIT = {".h": 220, ".cc": 420}


def code_of(line):
    """The line without its comment; good enough where strings hold no //."""
    return line.split("//", 1)[0]


def check_source(root, path):
    name = path.relative_to(root).as_posix()
    parts = name.split("/")
    layer = parts[1] if parts[0] == "src" else parts[0]
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0] != "// SPDX-License-Identifier: Apache-2.0":
        yield f"{name}:1: the first line must be // SPDX-License-Identifier: Apache-2.0"
    if path.suffix == ".h" and "#pragma once" not in lines:
        yield f"{name}:1: a header needs #pragma once"
    if len(lines) > LIMIT[path.suffix]:
        yield f"{name}:{len(lines)}: longer than {LIMIT[path.suffix]} lines: split it by topic"
    if layer not in BELOW:
        if parts[0] == "src":
            yield f"{name}:1: src/{layer} is no layer of this program"
        return
    for number, line in enumerate(lines, 1):
        vague = VAGUE_NAME.match(line)
        if vague:
            yield f"{name}:{number}: {vague[1]}: a name that says nothing"
        include = INCLUDE.match(line)
        if include and include[1]:
            target = include[1].split("/")[0]
            if "/" not in include[1] or target not in BELOW:
                yield f'{name}:{number}: "{include[1]}": write includes from src/, as "model/snapshot.h"'
            elif target != layer and target not in BELOW[layer]:
                yield f"{name}:{number}: {layer} must not include {target} ({include[1]})"
        elif layer in PURE and include:
            if IMPURE_HEADER.match(include[2]) and (name, include[2]) not in ALLOWED:
                yield f"{name}:{number}: {layer} is pure and must not include <{include[2]}>"
        elif layer in PURE and (found := IMPURE_CODE.search(code_of(line))):
            yield f"{name}:{number}: {layer} is pure and must not use {found[0].rstrip('(')}"


def check_first_line(root, path):
    name = path.relative_to(root).as_posix()
    lines = path.read_text(encoding="utf-8").splitlines()[:2]
    if lines and lines[0].startswith("#!"):
        lines = lines[1:]
    if not lines or lines[0] != "# SPDX-License-Identifier: Apache-2.0":
        yield f"{name}:1: must begin with # SPDX-License-Identifier: Apache-2.0"


def check_tree(root):
    for folder in ("src", "lab", "tests", "bench"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in LIMIT:
                yield from check_source(root, path)
            elif path.name == "CMakeLists.txt" or path.suffix in (".cmake", ".py", ".sh"):
                yield from check_first_line(root, path)
    for name in ("CMakeLists.txt", "run", "test", ".ci/run"):
        if (root / name).exists():
            yield from check_first_line(root, root / name)


SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
VIOLATIONS = {
    "src/base/a.cc": (SPDX + '#include "model/link.h"\n', "a.cc:2: base must not include model"),
    "src/engine/a.cc": (SPDX + '#include "os/netlink.h"\n', "a.cc:2: engine must not include os"),
    "src/engine/b.cc": (SPDX + '#include "text/json.h"\n', "b.cc:2: engine must not include text"),
    "src/os/a.cc": (SPDX + '#include "engine/a.h"\n', "a.cc:2: os must not include engine"),
    "src/port/a.cc": (SPDX + '#include "text/json.h"\n', "a.cc:2: port must not include text"),
    "src/model/a.cc": (SPDX + "#include <sys/socket.h>\n", "a.cc:2: model is pure and must not include"),
    "src/plan/a.cc": (SPDX + "#include <thread>\n", "a.cc:2: plan is pure and must not include"),
    "src/text/a.cc": (SPDX + "auto t = std::chrono::steady_clock::now();\n", "must not use ::now"),
    "src/diagnose/a.cc": (SPDX + "void f() { std::cerr << 1; }\n", "must not use std::cerr"),
    "src/os/b.cc": (SPDX + '#include "netlink.h"\n', "b.cc:2: \"netlink.h\": write includes from src/"),
    "src/os/c.h": (SPDX + "#pragma once\nclass RouteManager;\n", "RouteManager: a name that says nothing"),
    "src/os/d.h": (SPDX, "d.h:1: a header needs #pragma once"),
    "src/os/e.cc": ("int x;\n", "e.cc:1: the first line must be"),
    "src/os/f.cc": (SPDX + "\n" * 420, "f.cc:421: longer than 420 lines"),
    "src/extra/a.cc": (SPDX, "a.cc:1: src/extra is no layer"),
    "tests/CMakeLists.txt": ("project(x)\n", "CMakeLists.txt:1: must begin with"),
}
CLEAN = {
    "src/base/ip.cc": SPDX + "#include <arpa/inet.h>\n// std::cerr is for others\n",
    "src/app/main.cc": SPDX + '#include "os/a.h"\n#include "engine/a.h"\n#include <iostream>\n',
    "src/os/a.cc": SPDX + '#include <sys/socket.h>\n#include "port/kernel.h"\n',
}


def write(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def self_test():
    wrong = []
    for name, (text, wanted) in VIOLATIONS.items():
        with tempfile.TemporaryDirectory() as folder:
            write(pathlib.Path(folder), name, text)
            said = list(check_tree(pathlib.Path(folder)))
        if len(said) != 1 or wanted not in said[0]:
            wrong.append(f"{name}: wanted one line with {wanted!r}, got {said}")
    with tempfile.TemporaryDirectory() as folder:
        for name, text in CLEAN.items():
            write(pathlib.Path(folder), name, text)
        wrong += [f"clean tree, but: {line}" for line in check_tree(pathlib.Path(folder))]
    return wrong


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    said = self_test() if sys.argv[1:] == ["--self-test"] else list(check_tree(root))
    print("\n".join(said), end="\n" if said else "")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
