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

from hosts import FAST, MANAGEMENT, METRIC, SUBNET, Failed, Host, batch, run, wait_until, within

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
        host = Host(fast="elsewhere", **kinds)
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
# How a networkd is told to leave alone what is not in its files, and what it finds on start.
SPARING = "[Network]\nManageForeignRoutingPolicyRules=no\nManageForeignRoutes=no\n"
KEEPING = "KeepConfiguration=static\n"


class Networkd(NoTool):
    """It owns the addresses, from its files; the cure is sections in the same files. A change is
    followed by `networkctl reload`; to have it all done once more, the service is restarted."""

    cures = True
    program = "/lib/systemd/systemd-networkd"
    bus = "/usr/bin/dbus-daemon"

    def __init__(self, tuned=False):
        """tuned: with a guard, and with all that its manual has against the loss of what is there."""
        self.tuned = tuned
        self.title = "networkd, tuned" if tuned else "networkd"

    def missing(self):
        for program, package in ((self.program, "systemd"), (self.bus, "dbus-daemon dbus-system-bus-common")):
            if not os.access(program, os.X_OK):
                return f"{program}: not there (apt-get install {package})"
        return None

    def version(self):
        return f"systemd {debian_version('systemd')}"

    def host(self, **kinds):
        host = Host(fast="bare", **kinds)
        try:
            host.networkd = {nic: [address] for nic, address in FAST.items()}
            host.networkd[MANAGEMENT] = [host.management]
            host.cured, host.daemon = False, None
            self.tell_udev(host)
            if self.tuned:
                drop_in = host.private / "run/systemd/networkd.conf.d"
                drop_in.mkdir()
                (drop_in / "sparing.conf").write_text(SPARING)
            (host.private / "run/dbus").mkdir()
            self.start(host, self.bus, "--system", "--nofork", "--nopidfile", "--nosyslog")
            wait_until("the system bus", (host.private / "run/dbus/system_bus_socket").exists)
            self.write_files(host)
            self.restart(host)
        except BaseException:
            host.close()
            raise
        return host

    @staticmethod
    def start(host, *argv):
        """Leaves its identifier, as the host sees it, in a file."""
        name = os.path.basename(argv[0])
        log = (host.private / f"{name}.log").open("a")
        script = 'echo $$ >"$1"; shift; exec "$@"'
        return subprocess.Popen(host.inside("sh", "-c", script, "sh", str(host.private / f"{name}.pid"), *argv),
                                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @staticmethod
    def tell_udev(host):
        """What udev writes when it has seen a NIC. A networkd that believes itself in a container
        (a read-only /sys) needs it not, but then spares what it did not make."""
        data = host.private / "run/udev/data"
        data.mkdir(parents=True)
        with within(host.netns):
            for index, nic in socket.if_nameindex():
                (data / f"n{index}").write_text(f"I:1\nE:ID_NET_NAME={nic}\n")

    def file_of(self, host, nic):
        addresses = host.networkd[nic]
        length = host.length if nic == MANAGEMENT else 20
        values = {"nic": nic, "length": length, "metric": METRIC[nic], "subnet": SUBNET, "table": TABLE.get(nic)}
        text = NETWORK.format(**values) + (KEEPING if self.tuned else "")
        for address in addresses:
            text += ADDRESS.format(address=address, **values)
        if nic == MANAGEMENT:
            return text + DEFAULT_ROUTE.format(gateway=host.gateway, **values)
        if host.cured:
            text += CURE_OF_NIC.format(address=addresses[0], **values)
            for k, address in enumerate(addresses):
                priority = 1000 + 10 * list(FAST).index(nic) + k
                text += CURE_OF_ADDRESS.format(address=address, priority=priority, **values)
            if self.tuned and nic == next(iter(FAST)):
                text += GUARD.format(**values)
        return text

    def write_files(self, host):
        """Returns the NICs whose file is another now."""
        changed = []
        for nic in host.networkd:
            path, text = host.private / "network" / f"10-{nic}.network", self.file_of(host, nic)
            if not path.exists() or path.read_text() != text:
                path.write_text(text)
                changed.append(nic)
        return changed

    def state_of(self, host, nic):
        return host.private / f"run/systemd/netif/links/{host.index[nic]}"

    def wait_until_configured(self, host, nics):
        """REQUIRES: the states of NICS were removed before: networkd writes them anew."""

        def configured():
            if host.daemon.poll() is not None:
                log = (host.private / "systemd-networkd.log").read_text()
                raise Failed(f"{self.program}: exit {host.daemon.returncode}\n{log}")
            states = [self.state_of(host, nic) for nic in nics]
            return all(state.exists() and "ADMIN_STATE=configured" in state.read_text() for state in states)

        wait_until(f"{self.program} has configured {', '.join(nics)}", configured, seconds=20)

    def forget_states(self, host, nics):
        for nic in nics:
            self.state_of(host, nic).unlink(missing_ok=True)

    def restart(self, host):
        if host.daemon:
            host.run("sh", "-c", f"kill $(cat {host.private}/systemd-networkd.pid)")
            host.daemon.wait()
        self.forget_states(host, host.networkd)
        host.daemon = self.start(host, self.program)
        self.wait_until_configured(host, host.networkd)

        def on_the_bus():
            return subprocess.run(host.inside("networkctl", "reload"), capture_output=True, check=False).returncode == 0

        wait_until(f"{self.program} is on the bus", on_the_bus)

    def reload(self, host):
        changed = self.write_files(host)
        self.forget_states(host, changed)
        host.run("networkctl", "reload")
        self.wait_until_configured(host, changed)

    def apply(self, host):
        host.cured = True
        self.reload(host)

    def again(self, host):
        self.restart(host)

    def remove(self, host):
        host.cured = False
        self.reload(host)

    def readdress(self, host, nic, addresses):
        host.networkd[nic] = list(addresses)
        self.reload(host)
