#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""retour beside its peers, on the same host in network namespaces, as a table.

compare.py [--retour PATH] [--rounds N] [--write FILE]   needs root and the peers' packages
compare.py --self-test                                   needs neither

Exit 0: retour did what is asked of it in every round. 1: not so; each such cell is named. 2: usage.
3: something could not be run. What the peers do decides nothing.
"""

import argparse
import os
import pathlib
import signal
import statistics
import sys

sys.dont_write_bytecode = True

import cases
import page
from hosts import Failed

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def merged(rounds):
    """[{key: cell}] of one tool to {key: cell}; rounds that differ are all shown."""
    found = {}
    for key, _, _ in cases.ROWS:
        values = [one[key] for one in rounds if key in one]
        if not values:
            found[key] = cases.NOT_ASKED
        elif isinstance(values[0], float):
            low, middle, high = (1000 * f(values) for f in (min, statistics.median, max))
            found[key] = f"{middle:.0f} ms" + (f" ({low:.0f} to {high:.0f})" if f"{low:.0f}" != f"{high:.0f}" else "")
        else:
            found[key] = "; ".join(dict.fromkeys(values))
    return found


# What no program that has ended can do; `flap_again` is what retour promises. A guard that someone
# has deleted it does not miss yet: shown, and said in the page.
NOT_PROMISED = ("flap", "flap_two", "beside")


def imperfect(column):
    """What retour's column is not."""
    for key, what, wanted in cases.ROWS:
        if wanted and key not in NOT_PROMISED and column[key] not in (wanted, cases.NOT_ASKED):
            yield f"retour: {what}: {column[key]}, not {wanted}"


def measure(tools, rounds):
    """{title: {key: cell}}; the tools take turns, so that whatever else the machine does meets all."""
    found = {tool.title: [] for tool in tools}
    for _ in range(rounds):
        for tool in tools:
            found[tool.title].append(cases.ask(tool))
    return {title: merged(each) for title, each in found.items()}


def self_test():
    """Without root: the judge sees a fault, and the page in the tree is this script's."""
    perfect = {key: wanted or "1 ms (1 to 1)" for key, _, wanted in cases.ROWS}
    if list(imperfect(perfect)):
        yield f"a perfect column, but: {list(imperfect(perfect))}"
    for key, _, wanted in cases.ROWS:
        faults = list(imperfect(perfect | {key: "8/9"}))
        if len(faults) != (1 if wanted and key not in NOT_PROMISED else 0):
            yield f"{key} is wrong, and what is said is {faults}"
    if merged([{"right": "9/9"}, {"right": "8/9"}, {"right": "9/9"}])["right"] != "9/9; 8/9":
        yield "a round that differs is not shown"
    if merged([{"wall": 0.002}, {"wall": 0.001}, {"wall": 0.009}])["wall"] != "2 ms (1 to 9)":
        yield "not the median, the lowest and the highest"
    yield from page.faults(ROOT / "docs/comparison.md")


def main():
    parser = argparse.ArgumentParser(description="retour beside its peers")
    parser.add_argument("--retour", default=ROOT / "build/retour", help="default: what ./run builds")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--write", type=pathlib.Path, metavar="FILE", help="the page, docs/comparison.md")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    if options.self_test:
        faults = list(self_test())
        print("\n".join(faults), end="\n" if faults else "")
        return 1 if faults else 0
    tools = cases.tools(os.path.abspath(options.retour))
    missing = [what for what in (tool.missing() for tool in tools) if what]
    if os.geteuid() != 0:
        missing.insert(0, "network namespaces need root")
    if missing:
        print("\n".join(f"compare: {what}" for what in missing), file=sys.stderr)
        return 3
    # Ends by an exception, and so clears up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    try:
        columns = measure(tools, options.rounds)
    except Failed as why:
        print(f"compare: {why}", file=sys.stderr)
        return 3
    text = page.table(columns)
    if options.write:
        options.write.write_text(page.whole(columns, tools, options.rounds), encoding="utf-8")
    print(text)
    faults = list(imperfect(columns["retour"]))
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
