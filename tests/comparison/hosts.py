# SPDX-License-Identifier: Apache-2.0
"""A host with eight fast NICs, its peer and their switch, in network namespaces of their own.

Nothing appears in the caller's namespace or file system: a tool under test runs with a /run, an
/etc/iproute2, an /etc/systemd/network and an /etc/retour of this host, in a process namespace that
ends with us, however we end.
"""

import collections
import contextlib
import ctypes
import fcntl
import itertools
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

# The real case: names, addresses and metrics of its host B, and one NIC of its host A.
FAST = {
    "enp137s0f1": "29.28.201.211",
    "enp137s0f0": "29.28.193.28",
    "enp80s0f1": "29.28.204.230",
    "enp106s0f0": "29.28.194.199",
    "enp106s0f1": "29.28.195.31",
    "enp80s0f0": "29.28.195.228",
    "enp234s0f1": "29.28.197.165",
    "enp234s0f0": "29.28.195.75",
}
SUBNET = "29.28.192.0/20"
PEER = "29.28.204.80"
MANAGEMENT = "enp218s0"
METRIC = {nic: 104 + k for k, nic in enumerate((MANAGEMENT, *FAST))}
PORT = {nic: f"b{k}" for k, nic in enumerate(FAST)} | {MANAGEMENT: "bm"}
CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
PACKET_OUTGOING = 4
IFF_RUNNING = 0x40
SIOCGIFFLAGS = 0x8913

libc = ctypes.CDLL(None, use_errno=True)
numbers = itertools.count(1)


class Failed(Exception):
    """A command or the world did not do its part; says which and what it said."""


def run(*argv, stdin="", env=None, timeout=60):
    done = subprocess.run(argv, input=stdin, env=env, text=True, capture_output=True, timeout=timeout)
    if done.returncode != 0:
        raise Failed(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def ip(netns, *words):
    return run("ip", "-n", netns, *words)


def batch(netns, lines):
    where = ("-n", netns) if netns else ()
    run("ip", *where, "-batch", "-", stdin="\n".join(lines) + "\n")


@contextlib.contextmanager
def within(netns):
    """This thread in NETNS. A socket made here stays there, and so does a child."""

    def enter(fd):
        if libc.setns(fd, CLONE_NEWNET) != 0:
            raise Failed(f"enter {netns}: {os.strerror(ctypes.get_errno())}")

    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{netns}") as there:
        enter(there.fileno())
        try:
            yield
        finally:
            enter(home.fileno())


def wait_until(what, done, seconds=10.0):
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.001)


# All that a tool may leave behind. Rules and routes as `ip` prints them, with their numbers.
Facts = collections.namedtuple("Facts", "rules routes sysctls files")
Reach = collections.namedtuple("Reach", "answered right of")


def differ(before, after):
    """How many entries were added or have gone."""
    return sum((before - after).values()) + sum((after - before).values())


class Host:
    """REQUIRES: root. Gates of the case: rp_filter=1, arp_ignore=1.

    fast: where the fast NICs are: "addressed" and up in the host; "bare", all of its NICs down and
    without address; or "elsewhere", bare in `switch`.
    shared_management: the management NIC is in the fast segment and has an address of its subnet.
    """

    def __init__(self, fast="addressed", shared_management=False):
        self.name = f"rt-cmp-{os.getpid()}-{next(numbers)}"
        self.netns, self.peer, self.switch = (f"{self.name}-{part}" for part in ("b", "p", "net"))
        self.shared_management = shared_management
        self.owners = {address: nic for nic, address in FAST.items()}
        self.management = "29.28.207.211" if shared_management else "192.168.0.211"
        self.gateway = "29.28.207.1" if shared_management else "192.168.0.1"
        self.length = 20 if shared_management else 24
        self.owners[self.management] = MANAGEMENT
        self.space = None
        self.private = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        try:
            self.build(fast)
            self.open_space()
            self.open_sockets()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def build(self, fast):
        batch("", [f"netns add {netns}" for netns in (self.netns, self.peer, self.switch)])
        for netns in (self.netns, self.peer, self.switch):
            self.set_gates(netns, "0" if netns == self.switch else "1")
        segment = {nic: "fast" for nic in FAST}
        segment[MANAGEMENT] = "fast" if self.shared_management else "slow"
        lines = []
        for bridge in ("fast", "slow"):
            lines.append(f"link add {bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
            lines.append(f"link set {bridge} up")
        lines.append(f"addr add {self.gateway}/24 dev {segment[MANAGEMENT]}")
        for nic, port in PORT.items():
            inside = f"netns {self.netns}" if fast != "elsewhere" or nic == MANAGEMENT else ""
            lines.append(f"link add {port} type veth peer name {nic} {inside}")
            lines.append(f"link set {port} master {segment[nic]} up")
        for port, nic, bridge in (("p0", "enp1s0", "fast"), ("pm", "eno1", "slow")):
            lines.append(f"link add {port} type veth peer name {nic} netns {self.peer}")
            lines.append(f"link set {port} master {bridge} up")
        batch(self.switch, lines)
        batch(self.peer, ["link set lo up", "link set enp1s0 up", f"addr add {PEER}/20 dev enp1s0",
                          "link set eno1 up", "addr add 192.168.0.80/24 dev eno1"])
        ip(self.netns, "link", "set", "lo", "up")
        if fast == "addressed":
            batch(self.netns, [line for nic in FAST for line in (
                f"link set {nic} up", f"addr add {FAST[nic]}/20 brd + dev {nic} metric {METRIC[nic]}")])
        if fast != "bare":
            batch(self.netns, [
                f"link set {MANAGEMENT} up",
                f"addr add {self.management}/{self.length} brd + dev {MANAGEMENT} metric {METRIC[MANAGEMENT]}",
                f"route add default via {self.gateway} dev {MANAGEMENT} metric {METRIC[MANAGEMENT]}"])
            self.wait_for_carrier([MANAGEMENT, *(FAST if fast == "addressed" else ())])
        with within(self.netns):
            self.index = {nic: index for index, nic in socket.if_nameindex()}

    @staticmethod
    def set_gates(netns, value):
        """What the machine itself has set must not decide."""
        with within(netns):
            for scope in ("default", "all"):
                conf = pathlib.Path("/proc/sys/net/ipv4/conf", scope)
                for name in ("arp_filter", "arp_announce", "accept_local", "arp_notify", "forwarding",
                             "log_martians", "promote_secondaries", "rp_filter", "arp_ignore"):
                    gate = scope == "all" and name in ("rp_filter", "arp_ignore")
                    (conf / name).write_text(value if gate else "0")
                silent = pathlib.Path("/proc/sys/net/ipv6/conf", scope, "disable_ipv6")
                if silent.exists():
                    silent.write_text("1")

    def wait_for_carrier(self, nics):
        with within(self.netns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:

            def running(nic):
                request = struct.pack("16sH14x", nic.encode(), 0)
                answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, request)
                return struct.unpack("16sH14x", answer)[1] & IFF_RUNNING

            for nic in nics:
                wait_until(f"carrier of {nic}", lambda nic=nic: running(nic))

    def open_space(self):
        """The file system and the processes of this host. It lives until `cat` reads end of file."""
        for folder in ("run/netns", "run/systemd", "network", "retour"):
            (self.private / folder).mkdir(parents=True)
        (self.private / "run/netns" / self.netns).touch()
        shutil.copytree("/etc/iproute2", self.private / "iproute2")
        shutil.rmtree(self.private / "iproute2/rt_tables.d", ignore_errors=True)
        (self.private / "iproute2/rt_tables.d").mkdir()
        script = (f'set -e; mount --bind /run/netns/{self.netns} "$1/run/netns/{self.netns}";'
                  'mount --rbind "$1/run" /run; mount --bind "$1/iproute2" /etc/iproute2;'
                  'mount --bind "$1/network" /etc/systemd/network;'
                  'if [ -d /etc/retour ]; then mount --bind "$1/retour" /etc/retour; fi;'
                  'mount -t proc proc /proc; mount -t sysfs sysfs /sys; echo ready; exec cat')
        self.space = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.netns}", "unshare", "--mount", "--propagation=slave",
             "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh", str(self.private)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.space.stdout.readline() != "ready\n":
            raise Failed(f"private file system of {self.name}: exit {self.space.wait()}")

    def inside(self, *argv):
        """The command line that runs ARGV on this host."""
        of = f"/proc/{self.space.pid}/ns"
        return ["nsenter", f"--mount={of}/mnt", f"--pid={of}/pid_for_children",
                f"--net=/run/netns/{self.netns}", "--", *argv]

    def run(self, *argv):
        return run(*self.inside(*argv))

    def open_sockets(self):
        with within(self.switch):
            self.ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self.ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            self.ear.setblocking(False)
        with within(self.peer):
            self.pinger = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
            self.pinger.setblocking(False)

    def close(self):
        for part in ("ear", "pinger"):
            if hasattr(self, part):
                getattr(self, part).close()
        if self.space:
            self.space.stdin.close()
            self.space.wait()
            self.space.stdout.close()
        for netns in (self.netns, self.peer, self.switch):
            if os.path.exists(f"/run/netns/{netns}"):
                subprocess.run(["ip", "netns", "del", netns], check=False)
        shutil.rmtree(self.private, ignore_errors=True)

    # What is on the wire.

    def heard(self):
        """(NIC, leaves, frame) of each frame on a cable of the host since the last call."""
        nic_of = {port: nic for nic, port in PORT.items()} | {"pod": "pod0"}
        while True:
            try:
                frame, (port, _, kind, *_) = self.ear.recvfrom(2048)
            except BlockingIOError:
                return
            if port in nic_of:
                yield nic_of[port], kind != PACKET_OUTGOING, frame

    def ping(self, addresses, ident, patience, again):
        """Pings all at once, those that are silent again after AGAIN s. Returns who answered."""
        silent = set(addresses)
        end = time.monotonic() + patience
        while silent and time.monotonic() < end:
            for address in silent:
                with contextlib.suppress(OSError):
                    self.pinger.sendto(echo_request(ident), (address, 0))
            pause = min(end, time.monotonic() + again)
            while silent and time.monotonic() < pause:
                try:
                    packet, (source, _) = self.pinger.recvfrom(2048)
                    if echo_reply(packet) == ident:
                        silent.discard(source)
                except BlockingIOError:
                    time.sleep(0.001)
        return set(addresses) - silent

    def measure(self):
        """Of all addresses: answered, and answered by the NIC that owns the address."""
        for netns in (self.netns, self.peer):
            ip(netns, "neigh", "flush", "all")
        warm, ident = next(numbers), next(numbers)
        self.ping(self.owners, warm, patience=1.2, again=0.3)
        collections.deque(self.heard(), maxlen=0)
        answered = self.ping(self.owners, ident, patience=0.4, again=1.0)
        doors = collections.defaultdict(set)
        for nic, leaves, frame in self.heard():
            if leaves and frame[12:14] == b"\x08\x00" and echo_reply(frame[14:]) == ident:
                doors[socket.inet_ntoa(frame[26:30])].add(nic)
        right = {a for a in answered if doors[a] == {self.owners[a]}}
        return Reach(len(answered), len(right), len(self.owners))

    def measure_patiently(self, seconds=1.5):
        """As measure(), given time: a tool may be repairing by itself."""
        end = time.monotonic() + seconds
        while True:
            reach = self.measure()
            if reach.right == reach.of or time.monotonic() > end:
                return reach

    def door(self, destination, source=""):
        """The NIC by which a datagram to DESTINATION leaves; "none" if by none."""
        collections.deque(self.heard(), maxlen=0)
        wanted = socket.inet_aton(destination)
        with within(self.netns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            if source:
                sender.bind((source, 0))
            try:
                sender.sendto(b"?", (destination, 9))
            except OSError:
                return "none"
        end = time.monotonic() + 2
        while time.monotonic() < end:
            for nic, leaves, frame in self.heard():
                asks = frame[12:14] == b"\x08\x06" and frame[38:42] == wanted
                sends = frame[12:14] == b"\x08\x00" and frame[30:34] == wanted
                if leaves and (asks or sends):
                    return nic
            time.sleep(0.001)
        return "none"

    def outage(self, addresses, action):
        """Seconds for which the worst of ADDRESSES was silent while ACTION ran: pings, 5 ms apart."""
        pause, ident = 0.005, next(numbers)
        sent, answers = 0, collections.Counter()
        acting = threading.Thread(target=action)
        with within(self.peer), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as pinger:
            pinger.setblocking(False)
            acting.start()
            end = None
            while end is None or time.monotonic() < end and any(answers[address] < sent for address in addresses):
                if acting.is_alive():
                    sent += 1
                    for address in addresses:
                        with contextlib.suppress(OSError):
                            pinger.sendto(echo_request(ident), (address, 0))
                elif end is None:
                    end = time.monotonic() + 0.3
                time.sleep(pause)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        packet, (source, _) = pinger.recvfrom(2048)
                        answers[source] += echo_reply(packet) == ident
        return pause * max(max(0, sent - answers[address]) for address in addresses)

    # What is on the host.

    def flap(self, nics):
        for nic in nics:
            ip(self.netns, "link", "set", nic, "down")
            ip(self.netns, "link", "set", nic, "up")
        self.wait_for_carrier(nics)

    def add_pod(self, address):
        """A pod with an address of the fast subnet, and main's route to it."""
        batch(self.switch, [f"link add pod type veth peer name pod0 netns {self.netns}", "link set pod up"])
        batch(self.netns, ["link set pod0 up", f"route add {address}/32 dev pod0"])
        self.wait_for_carrier(["pod0"])

    def rules(self):
        """Numeric: the names of tables are those of the machine that runs this."""
        return [" ".join(line.split()) for line in ip(self.netns, "-4", "-N", "rule").splitlines()]

    def facts(self):
        routes = ip(self.netns, "-4", "-N", "route", "show", "table", "all").splitlines()
        sysctls = []
        with within(self.netns):
            for path in pathlib.Path("/proc/sys/net").glob("ipv[46]/conf/*/*"):
                with contextlib.suppress(OSError):
                    sysctls.append(f"{path} = {path.read_text().strip()}")
        files = (p for p in self.private.rglob("*") if p.is_file() and "netns" not in p.parts)
        return Facts(collections.Counter(self.rules()),
                     collections.Counter(" ".join(line.split()) for line in routes),
                     collections.Counter(sysctls),
                     collections.Counter(str(p.relative_to(self.private)) for p in files))


def echo_request(ident):
    """ICMP type 8; sequence 1; a zero checksum field while the sum is taken."""
    total = 0x0800 + ident + 1
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return struct.pack("!BBHHH", 8, 0, checksum, ident, 1)


def echo_reply(packet):
    """Its identifier; None if PACKET, from its IPv4 header on, is something else."""
    head = (packet[0] & 15) * 4
    if len(packet) < head + 8 or packet[9] != socket.IPPROTO_ICMP or packet[head] != 0:
        return None
    return struct.unpack_from("!H", packet, head + 4)[0]
