# SPDX-License-Identifier: Apache-2.0
"""What is asked of each tool. A cell is text; two tools are alike where their cells are."""

import collections
import time

from hosts import FAST, PEER, differ
from tools import Networkd, NoTool, Retour, Sbr

NIC, OTHER_NIC = "enp80s0f0", "enp106s0f1"
NEW_ADDRESS = "29.28.206.99"
POD = "29.28.207.5"
FOREIGN = "from 10.99.0.0/16 lookup main pref 12345"

# Key, what the table calls it, and what is asked for; None: there is no right answer.
ROWS = (
    ("reachable", "addresses that answer", "9/9"),
    ("right", "... by the right NIC", "9/9"),
    ("again", "a second apply changes", "0"),
    ("add_twice", "... ADD of sbr, without DEL", "0"),
    ("flap", "after a NIC was down", "9/9"),
    ("flap_two", "... two NICs", "9/9"),
    ("flap_again", "... two NICs, and a run of the tool", "9/9"),
    ("readdress", "after a change of an address", "9/9"),
    ("stale", "... rules left of the old address", "0"),
    ("second", "with a second address on a NIC", "10/10"),
    ("shared", "management in the same subnet", "9/9"),
    ("healed", "a rule was deleted, and the tool run: missing", "0"),
    ("foreign", "an operator's rule is", "kept"),
    ("unbound", "unbound traffic leaves by", "the same NIC"),
    ("pod", "a later /32 in main", "wins"),
    ("beside", "beside networkd, after its restart", "9/9"),
    ("beside_tuned", "... if that is tuned", "9/9"),
    ("residue", "left after removal", "0"),
    ("outage", "outage while it applies", "0 ms"),
    ("outage_again", "... while it applies again", "0 ms"),
    ("wall", "time of apply", None),
    ("wall_sbr", "... in sbr alone", None),
)
NOT_ASKED = "-"


def cell(reach, right_only=True):
    count = reach.right if right_only else reach.answered
    return f"{count}/{reach.of}"


def both(reach):
    """One number where all that answer do so by the right NIC."""
    if reach.answered == reach.right:
        return cell(reach)
    return f"{cell(reach, right_only=False)}, right {cell(reach)}"


def changes(before, after):
    """"-8 +8 rules", of each kind that differs; "0" if none does."""
    said = []
    for kind in before._fields:
        old, new = getattr(before, kind), getattr(after, kind)
        if differ(old, new):
            signs = [f"{sign}{sum(part.values())}" for sign, part in (("-", old - new), ("+", new - old)) if part]
            said.append(f"{' '.join(signs)} {kind}")
    return ", ".join(said) or "0"


def reachable(tool):
    with tool.host() as host:
        if not tool.cures:
            reach = host.measure()
            return {"reachable": cell(reach, right_only=False), "right": cell(reach)}
        begin = time.perf_counter()
        tool.apply(host)
        found = {"wall": time.perf_counter() - begin}
        if isinstance(tool, Sbr):
            found["wall_sbr"] = host.seconds_in_sbr
        reach = host.measure()
        found |= {"reachable": cell(reach, right_only=False), "right": cell(reach)}
        before = host.facts()
        tool.again(host)
        found["again"] = changes(before, host.facts())
        host.add_pod(POD)
        found["pod"] = pod_verdict(host)
        if isinstance(tool, Sbr):
            before = host.facts()
            tool.add_sbr_twice(host)
            found["add_twice"] = changes(before, host.facts())
    return found


def pod_verdict(host):
    door = host.door(POD, FAST[NIC])
    return "wins" if door == "pod0" else f"loses to {door}"


def beside(tool):
    """retour on a host that networkd has configured, and configures again when it starts."""
    found = {}
    for key, networkd in (("beside", Networkd()), ("beside_tuned", Networkd(tuned=True))):
        if isinstance(tool, Retour):
            with networkd.host() as host:
                tool.apply(host)
                networkd.restart(host)
                found[key] = both(host.measure())
    return found


def residue(tool):
    with tool.host() as host:
        tool.plain(host)
        before, door = host.facts(), host.door(PEER)
        tool.apply(host)
        later = host.door(PEER)
        tool.remove(host)
        return {"unbound": "the same NIC" if later == door else f"{later}, was {door}",
                "residue": changes(before, host.facts())}


def outage(tool):
    with tool.host() as host:
        tool.plain(host)
        host.measure()
        asked = [next(iter(FAST.values())), host.management]
        return {"outage": host.outage(asked, lambda: tool.apply(host)),
                "outage_again": host.outage(asked, lambda: tool.again(host))}


def flap(tool):
    found = {}
    with tool.host() as host:
        tool.apply(host)
        for key, nics in (("flap", [NIC]), ("flap_two", [NIC, OTHER_NIC])):
            host.flap(nics)
            found[key] = both(host.measure_patiently())
            tool.again(host)
        return found | {"flap_again": both(host.measure())}


def healed(tool):
    """The first rule of the tool, which for retour is the guard."""
    with tool.host() as host:
        tool.apply(host)

        def selectors():
            return collections.Counter(rule.split(":", 1)[1] for rule in host.rules())

        before, first = selectors(), host.rules()[1].split(":")[0]
        host.run("ip", "rule", "del", "pref", first)
        tool.again(host)
        return {"healed": str(sum((before - selectors()).values()))}


def readdress(tool):
    with tool.host() as host:
        tool.apply(host)
        tool.readdress(host, NIC, [NEW_ADDRESS])
        del host.owners[FAST[NIC]]
        host.owners[NEW_ADDRESS] = NIC
        stale = [rule for rule in host.rules() if f"from {FAST[NIC]} " in rule]
        return {"readdress": both(host.measure_patiently()), "stale": str(len(stale))}


def second(tool):
    with tool.host() as host:
        tool.apply(host)
        tool.readdress(host, NIC, [FAST[NIC], NEW_ADDRESS])
        host.owners[NEW_ADDRESS] = NIC
        return {"second": both(host.measure_patiently())}


def shared(tool):
    with tool.host(shared_management=True) as host:
        tool.apply(host)
        return {"shared": both(host.measure())}


def foreign(tool):
    with tool.host() as host:
        host.run("ip", "rule", "add", *FOREIGN.split())
        for what in ("apply", "again", "remove"):
            getattr(tool, what)(host)
            if not any(rule.startswith("12345:") for rule in host.rules()):
                return {"foreign": f"deleted by {what}"}
    return {"foreign": "kept"}


ALL = (reachable, beside, residue, outage, flap, healed, readdress, second, shared, foreign)
OF_NO_TOOL = (reachable, shared)


def ask(tool):
    """One round of one tool: {key: cell}; times are numbers, in seconds."""
    found = {}
    for case in ALL if tool.cures else OF_NO_TOOL:
        found |= case(tool)
    return found


def tools(retour):
    return [NoTool(), Retour(retour), Sbr(), Networkd(), Networkd(tuned=True)]
