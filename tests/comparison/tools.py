# SPDX-License-Identifier: Apache-2.0
"""The tools that are compared, each driven as its documentation says.

host() is where a tool starts, plain() the same with the addresses and without the cure; apply() cures,
again() has it do its work once more as its documentation says, readdress() gives a NIC other
addresses by the way that tool takes them, and remove() takes the cure away.
"""

import json
import os
import socket
import subprocess
import time

from hosts import FAST, MANAGEMENT, MANAGEMENT_METRIC, METRIC, SUBNET, Failed, Host, batch, run, wait_until, within

TABLE = {nic: 200 + k for k, nic in enumerate(FAST)}


def debian_version(package):
    words = ("dpkg-query", "-W", "-f", "${Version}", package)
    return subprocess.run(words, text=True, capture_output=True, check=False).stdout or "?"


class NoTool:
    """The host as it is."""

    title = "no tool"
    cures = False

    def missing(self):
        return None

    def version(self):
        return f"Linux {os.uname().release}, iproute2 {debian_version('iproute2')}"

    def host(self, **kinds):
        return Host(**kinds)

    def plain(self, host):
        pass

    def apply(self, host):
        pass

    def again(self, host):
        self.apply(host)

    def remove(self, host):
        pass

    def readdress(self, host, nic, addresses):
        """As an operator or a DHCP client does: the kernel is told, and nobody else."""
        lines = [f"addr flush dev {nic} scope global"]
        lines += [f"addr add {address}/20 brd + dev {nic} metric {METRIC[nic]}" for address in addresses]
        batch(host.netns, lines)
        self.again(host)


class Retour(NoTool):
    title = "retour"
    cures = True

    def __init__(self, program):
        self.program = program

    def missing(self):
        if os.access(self.program, os.X_OK):
            return None
        return f"{self.program}: not built (--retour PATH, or: sudo ./run --help)"

    def version(self):
        return run(self.program, "--version").strip()

    def apply(self, host):
        host.run(self.program, "apply", "--runtime")

    def remove(self, host):
        host.run(self.program, "undo")


class Sbr(NoTool):
    """host-device and static IPAM attach a NIC, sbr is chained to them: a configuration list for
    each NIC, executed as the CNI specification says. ADD is not repeated without a DEL."""

    title = "CNI sbr"
    cures = True
    plugins = "/usr/lib/cni"

    def missing(self):
        if os.access(f"{self.plugins}/sbr", os.X_OK):
            return None
        return f"{self.plugins}/sbr: not there (apt-get install containernetworking-plugins)"

    def version(self):
        return f"containernetworking-plugins {debian_version('containernetworking-plugins')}"

    def host(self, **kinds):
        host = Host(attached=False, **kinds)
        host.cni = {nic: [address] for nic, address in FAST.items()}
        host.attached, host.seconds_in_sbr = {}, 0.0
        return host

    @staticmethod
    def configuration(nic, addresses):
        ipam = {"type": "static", "addresses": [{"address": f"{address}/20"} for address in addresses]}
        return {"cniVersion": "0.4.0", "name": f"fast-{nic}",
                "plugins": [{"type": "host-device", "device": nic, "ipam": ipam}, {"type": "sbr"}]}

    def call(self, host, command, nic, plugin, previous=None):
        whole = self.configuration(nic, host.cni[nic])
        request = {"cniVersion": whole["cniVersion"], "name": whole["name"]} | plugin
        if previous:
            request["prevResult"] = previous
        environment = {"CNI_COMMAND": command, "CNI_CONTAINERID": host.name, "CNI_IFNAME": nic,
                       "CNI_NETNS": f"/run/netns/{host.netns}", "CNI_PATH": self.plugins, "PATH": os.environ["PATH"]}
        # The runtime lives where the NICs come from.
        begin = time.perf_counter()
        with within(host.switch):
            said = run(f"{self.plugins}/{plugin['type']}", stdin=json.dumps(request), env=environment)
        if plugin["type"] == "sbr":
            host.seconds_in_sbr += time.perf_counter() - begin
        return json.loads(said) if said.strip() else None

    def attach(self, host, nic, plugins=2):
        result = None
        for plugin in self.configuration(nic, host.cni[nic])["plugins"][:plugins]:
            result = self.call(host, "ADD", nic, plugin, result)
        host.attached[nic] = plugins

    def detach(self, host, nic):
        plugins = self.configuration(nic, host.cni[nic])["plugins"][: host.attached.pop(nic, 0)]
        for plugin in reversed(plugins):
            self.call(host, "DEL", nic, plugin)

    def plain(self, host):
        for nic in FAST:
            self.attach(host, nic, plugins=1)

    def apply(self, host):
        for nic in FAST:
            self.detach(host, nic)
            self.attach(host, nic)

    def add_sbr_twice(self, host):
        """sbr's own ADD once more, without the DEL that the specification asks for."""
        for nic, addresses in host.cni.items():
            ips = [{"version": "4", "address": f"{address}/20", "interface": 0} for address in addresses]
            link = {"name": nic, "sandbox": f"/run/netns/{host.netns}"}
            self.call(host, "ADD", nic, {"type": "sbr"},
                      {"cniVersion": "0.4.0", "interfaces": [link], "ips": ips})

    def readdress(self, host, nic, addresses):
        self.detach(host, nic)
        host.cni[nic] = list(addresses)
        self.attach(host, nic)

    def remove(self, host):
        """A configuration without sbr: the NICs are given back, and attached anew."""
        for nic in FAST:
            self.detach(host, nic)
            self.attach(host, nic, plugins=1)


NETWORK = """\
[Match]
Name={nic}

[Network]
LinkLocalAddressing=no
IPv6AcceptRA=no
"""
ADDRESS = """
[Address]
Address={address}/{length}
RouteMetric={metric}
"""
CURE_OF_NIC = """
[Route]
Destination={subnet}
Scope=link
PreferredSource={address}
Table={table}
"""
CURE_OF_ADDRESS = """
[RoutingPolicyRule]
From={address}
Table={table}
Priority={priority}
"""
GUARD = """
[RoutingPolicyRule]
To={subnet}
Table=main
SuppressPrefixLength=20
Priority=900
"""
DEFAULT_ROUTE = """
[Route]
Gateway={gateway}
Metric={metric}
"""
KEEP_FOREIGN = "[Network]\nManageForeignRoutingPolicyRules=no\n"


class Networkd(NoTool):
    """It owns the addresses, from its files; the cure is sections in the same files. Every change
    of a file is followed by a restart, as `systemctl restart systemd-networkd` does it."""

    title = "systemd-networkd"
    cures = True
    program = "/lib/systemd/systemd-networkd"

    def __init__(self, keep_foreign=False, guard=False):
        self.keep_foreign, self.guard = keep_foreign, guard

    def missing(self):
        if os.access(self.program, os.X_OK):
            return None
        return f"{self.program}: not there (apt-get install systemd)"

    def version(self):
        return f"systemd {debian_version('systemd')}"

    def file_of(self, host, nic):
        addresses, metric = host.networkd[nic], METRIC.get(nic, MANAGEMENT_METRIC)
        length = 24 if nic == MANAGEMENT and not host.shared_management else 20
        values = {"nic": nic, "length": length, "metric": metric, "subnet": SUBNET, "table": TABLE.get(nic)}
        text = NETWORK.format(**values)
        for address in addresses:
            text += ADDRESS.format(address=address, **values)
        if nic == MANAGEMENT:
            return text + DEFAULT_ROUTE.format(gateway=host.gateway, **values)
        if host.cured:
            text += CURE_OF_NIC.format(address=addresses[0], **values)
            for k, address in enumerate(addresses):
                priority = 1000 + 10 * list(FAST).index(nic) + k
                text += CURE_OF_ADDRESS.format(address=address, priority=priority, **values)
            if self.guard and nic == next(iter(FAST)):
                text += GUARD.format(**values)
        return text

    def host(self, **kinds):
        host = Host(**kinds)
        try:
            host.networkd = {nic: [address] for nic, address in FAST.items()}
            host.networkd[MANAGEMENT] = [host.management]
            host.cured, host.daemon = False, None
            self.tell_udev(host)
            if self.keep_foreign:
                drop_in = host.private / "run/systemd/networkd.conf.d"
                drop_in.mkdir()
                (drop_in / "keep.conf").write_text(KEEP_FOREIGN)
            self.again(host)
        except BaseException:
            host.close()
            raise
        return host

    @staticmethod
    def tell_udev(host):
        """What udev writes when it has seen a NIC. A networkd that believes itself in a container
        (a read-only /sys) needs it not, but then spares what it did not make."""
        data = host.private / "run/udev/data"
        data.mkdir(parents=True)
        with within(host.netns):
            for index, nic in socket.if_nameindex():
                (data / f"n{index}").write_text(f"I:1\nE:ID_NET_NAME={nic}\n")

    def again(self, host):
        """Files as they should be now, stop, start, and wait until every NIC is configured."""
        for nic in host.networkd:
            (host.private / "network" / f"10-{nic}.network").write_text(self.file_of(host, nic))
        if host.daemon:
            host.run("sh", "-c", f"kill $(cat {host.private}/networkd.pid)")
            host.daemon.wait()
        states = host.private / "run/systemd/netif/links"
        for state in states.glob("*"):
            state.unlink()
        start = f"echo $$ >{host.private}/networkd.pid; exec {self.program}"
        host.daemon = subprocess.Popen(host.inside("sh", "-c", start), stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=(host.private / "networkd.log").open("a"))
        self.wait_until_configured(host)

    def wait_until_configured(self, host):
        states = host.private / "run/systemd/netif/links"
        wanted = len(host.networkd)

        def configured():
            if host.daemon.poll() is not None:
                raise Failed(f"{self.program}: exit {host.daemon.returncode}\n"
                             + (host.private / "networkd.log").read_text())
            texts = [state.read_text() for state in states.glob("[0-9]*")]
            return sum("ADMIN_STATE=configured" in text for text in texts) == wanted

        wait_until(f"{self.program} has configured {wanted} NICs", configured, seconds=20)

    def apply(self, host):
        host.cured = True
        self.again(host)

    def readdress(self, host, nic, addresses):
        host.networkd[nic] = list(addresses)
        self.again(host)

    def remove(self, host):
        host.cured = False
        self.again(host)
