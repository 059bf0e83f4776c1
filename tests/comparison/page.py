# SPDX-License-Identifier: Apache-2.0
"""The page that the comparison writes: its table is measured, its words are below.

What is said about a cell is said only while that cell is not as asked: the words cannot outlive it.
"""

import json
import re
import textwrap

import cases
from hosts import FAST, METRIC, SUBNET
from tools import CURE_OF_ADDRESS, CURE_OF_NIC, GUARD, KEEPING, SPARING, TABLE, Sbr

TITLE = "# retour beside its peers\n"
SCRIPT = "tests/comparison/compare.py"
HEAD = """
Written by `sudo """ + SCRIPT + """ --rounds {rounds} --write docs/comparison.md`: a
change by hand is lost. `./test` runs the same script, one round, and fails when retour's column is
not what is asked for.

The host is the case of the README: eight fast NICs in one /20, `rp_filter=1` and `arp_ignore=1`, a
management NIC with the default route. A peer with one NIC in the segment, and one in the
management network, asks all nine addresses.

"""
WORDS = """
What the rows ask:

- **addresses that answer**: of nine, a ping of each from the peer, all at once, after a warm-up of
  at most 1.2 s that resolves ARP anew. **By the right NIC**: a socket on the switch sees each reply
  come out of the NIC that owns the address, and out of no other. Where other rows show one count,
  both are the same.
- **a second apply changes**: rules, routes, sysctls and files that differ after the tool did its
  work once more, as its documentation says. For CNI that is DEL and ADD, for networkd a restart, as
  by an update of its package; the row below is sbr's own ADD repeated, which the specification
  forbids.
- **after a NIC was down**: enp80s0f0 set down and up, and what answers by itself within two seconds;
  then two NICs, one after the other; then the tool once more.
- **a rule was deleted**: the first rule of the tool, by hand; then the tool once more. How many of
  its rules are missing, whatever their priority.
- **after a change of an address**: of enp80s0f0, by the way the tool takes addresses: retour
  from the kernel (`ip addr`, as a DHCP client does it), networkd from its file, CNI from the IPAM
  of a new attachment. **With a second address**: the same NIC keeps the old and gets one more.
- **management in the same subnet**: the management NIC in the same segment, in the same /20, with
  the lowest metric.
- **an operator's rule**: `ip rule add """ + cases.FOREIGN + """`, made before
  the tool is first used; looked for after apply, after a second apply, and after removal.
- **unbound traffic**: a datagram from a socket without an address, to the peer: the NIC it leaves
  by, before and after.
- **a later /32 in main**: a route to a pod with an address of the subnet is added to main after
  apply. A datagram bound to a fast address must go to the pod.
- **beside networkd**: retour cures a host that networkd has configured without a cure, and networkd
  is restarted.
- **left after removal**: rules, routes, sysctls and files beside what was there before apply.
- **outage**: from a host whose NICs are in use. The peer pings the fast address that answers
  anyway, and the management address, every 5 ms while the tool works: the time for which the worse
  of the two is silent.
- **time of apply**: median, lowest and highest, from the call to its end. networkd: `networkctl
  reload` until the NICs whose files have changed are `configured`. CNI: all eight attachments to a
  host that has none, two plugins and an IPAM each.
"""
# (row, tool) and why, said while the cell is not as asked.
WHY = {
    ("reachable", "no tool"): "One fast address and the management NIC: `rp_filter` drops the requests for the rest.",
    ("flap", "retour"): "The kernel drops a NIC's routes, in every table, when the NIC goes down, and puts back"
    " only main's. retour has ended by then; run `retour apply` again.",
    ("flap_two", "CNI sbr"): "Nobody puts the routes of sbr's tables back. One NIC works all the same, because sbr had"
    " emptied main: its new route there is the only one. With two NICs that no longer helps. A new attachment"
    " mends it.",
    ("again", "CNI sbr"): "sbr's rules have no priority of their own: each new one goes before all others, so that"
    " each DEL and ADD moves them, ahead of an operator's rules too.",
    ("add_twice", "CNI sbr"): "Each rule is there twice, with a new, empty table.",
    ("foreign", "networkd"): "networkd removes rules that it did not make when it configures a NIC;"
    " `ManageForeignRoutingPolicyRules=no` in networkd.conf stops that: tuned.",
    ("outage", "CNI sbr"): "A NIC that is in use gets sbr by a new attachment, and is away meanwhile. NICs that come"
    " with sbr from the start do not know this.",
    ("outage_again", "CNI sbr"): "For the same reason.",
    ("beside", "retour"): "networkd takes the addresses away when it starts, and with them the kernel takes the"
    " routes of all tables; it deletes the rules itself. `retour status` names networkd, `retour apply` puts all"
    " back; beside a tuned networkd nothing is lost.",
    ("again", "networkd"): "A restart forgets `RouteMetric=` of addresses that are there already"
    " (systemd issue 25843): the subnet's routes lose their order, and with it what is not bound to an address.",
    ("again", "networkd, tuned"): "As without: the addresses stay now, `RouteMetric=` does not.",
    ("residue", "networkd, tuned"): "It is told to leave alone what is not in its files, and does so with what was in"
    " them yesterday.",
    ("outage", "networkd"): "A reload takes the addresses of a NIC whose file has changed away, and sets them"
    " anew.",
    ("outage_again", "networkd"): "A restart does that with all NICs, that of management too;"
    " `KeepConfiguration=static` is against it: tuned.",
    ("unbound", "CNI sbr"): "sbr moves the subnet's routes out of main, so that what is not bound to an address takes"
    " the default route. For a pod that is meant; for a host it is a change of path.",
    ("pod", "CNI sbr"): "A rule \"from ADDRESS\" with a route for the whole subnet in its table hides main's longer"
    " prefixes. There is no option against it.",
    ("pod", "networkd"): "A rule \"from ADDRESS\" with a route for the whole subnet in its table hides main's"
    " longer prefixes. One more section, written by hand, mends it: tuned.",
}
METHOD = """
## How it was measured

Each case of each tool has a host of its own, made for it from network namespaces, veth pairs and a
bridge: nothing of the machine takes part, and nothing is left. In each round the tools take turns.
Where rounds differ, each result is shown. All commands run with a `/run`, an `/etc/iproute2` and an
`/etc/systemd/network` of that host. networkd finds the NICs in udev's data base, as on a
real host: in a container, where `/sys` is read-only, it removes nothing that it did not make, for
it configures the NICs before it has read the rules. It has a system bus of that host. CNI's runtime is the script: it calls the plugins in order, and for DEL in reverse.
"""


def table(columns):
    rows = [["", *columns]]
    rows += [[what, *(column[key] for column in columns.values())] for key, what, _ in cases.ROWS]
    rows.insert(1, ["---"] * len(rows[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def paragraph(text, indent=""):
    return textwrap.fill(text, width=99, subsequent_indent=indent, break_long_words=False,
                         break_on_hyphens=False) + "\n"


def wrapped(text):
    """Each paragraph and each item of TEXT, which are apart by an empty line or a dash."""
    parts = re.split(r"\n\n|\n(?=- )", text.strip())
    marks = re.findall(r"\n\n|\n(?=- )", text.strip()) + [""]
    return "\n" + "".join(
        paragraph(" ".join(part.split()), "  " if part.startswith("- ") else "") + ("\n" if mark == "\n\n" else "")
        for part, mark in zip(parts, marks))


def reading(columns):
    wanted = {key: right for key, _, right in cases.ROWS}

    def as_asked(title):
        cells = {key: got for key, got in columns[title].items() if wanted[key] and got != cases.NOT_ASKED}
        return f"{title} {sum(got == wanted[key] for key, got in cells.items())} of {len(cells)}"

    text = "\n## What it shows\n\n"
    text += paragraph(f"Cells as one would ask for them: {'; '.join(map(as_asked, columns))}. The others, and why:")
    text += "\n"
    for title, cells in columns.items():
        for key, what, right in cases.ROWS:
            why = WHY.get((key, title))
            if why and cells[key] not in (right, cases.NOT_ASKED):
                text += paragraph(f"- **{title}, {what.removeprefix('... ')}: {cells[key]}.** {why}", "  ")
    return text + wrapped(BETTER)


BETTER = """
Where a peer does better:

- networkd stays, and mends a flap by itself; it owns the addresses, and keeps all of it over a
  reboot. If networkd configures a host with static addresses anyway, and is tuned as below, it
  gets the rules and routes that retour adds. They are for addresses that are written down: not for
  those of DHCP.
- sbr itself is quick: it adds a rule and moves routes, and looks at nothing else. For pods,
  whose NICs come and go with their attachments, it is made; retour is for hosts.
- Neither of them looks: that a reply leaves by the right NIC, that a gate was the cause, what else
  would move, and that it was as planned afterwards, is retour's part, and its time.
"""


def configuration():
    """What the tools were told, for one NIC of eight, as it was really written."""
    nic = cases.NIC
    values = {"nic": nic, "address": FAST[nic], "metric": METRIC[nic], "subnet": SUBNET, "table": TABLE[nic]}
    cure = CURE_OF_NIC.format(**values) + CURE_OF_ADDRESS.format(priority=1050, **values)
    conflist = json.dumps(Sbr.configuration(nic, [FAST[nic]]), indent=2)
    return f"""
## How each was configured

**retour**: nothing. `retour apply --runtime`, and `retour undo` to remove it.

**CNI sbr**, once for each NIC, chained to host-device and static IPAM as its documentation asks:

```json
{conflist}
```

**networkd**, in the file of each NIC beside its `[Address]` (systemd.network(5)):

```ini
{cure.strip()}
```

**networkd, tuned** is the same, and what else its manual offers. A guard, in one of the files:

```ini
{GUARD.format(**values).strip()}
```

in the `[Network]` of each, and in a drop-in of networkd.conf:

```ini
{KEEPING.strip()}
```

```ini
{SPARING.strip()}
```
"""


def whole(columns, tools, rounds):
    versions = "\n## Versions\n\n" + "".join(f"- {tool.title}: {tool.version()}\n" for tool in tools)
    head = TITLE + wrapped(HEAD.format(rounds=rounds)) + "\n"
    return (head + table(columns) + wrapped(WORDS) + reading(columns) + configuration() + wrapped(METHOD)
            + versions)


def faults(path):
    """Why the page in the tree is not one that this script would write; nothing if it is."""
    if not path.is_file():
        yield f"{path}: not there"
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    if SCRIPT not in "\n".join(lines[:5]):
        yield f"{path}: its head does not name {SCRIPT}"
    labels = [line.split("|")[1].strip() for line in lines if line.startswith("| ")][2:]
    if labels != [what for _, what, _ in cases.ROWS]:
        yield f"{path}: not the rows of this script: write it again with --write"
    for number, line in enumerate(lines, 1):
        if len(line) > 99 and not line.startswith("| "):  # a row cannot be broken
            yield f"{path}:{number}: longer than 99 columns"
