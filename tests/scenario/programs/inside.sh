#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# inside.sh PROGRAMS WORK FILES COMMAND…: runs COMMAND where the unpacked PROGRAMS are installed and
# FILES are in place, and nothing of it is seen outside: a mount namespace of its own in which /usr,
# /etc and /var are overlays and /run is empty. To be started in mount, PID and network namespaces.
set -e
programs=$1 work=$2 files=$3
shift 3
mount --make-rprivate /
mount -t tmpfs none "$work"
mkdir "$work/etc" "$work/etc.work" "$work/var" "$work/var.work"
mount -t overlay none -o "lowerdir=$programs/usr:/usr" /usr
for tree in etc var; do
  mount -t overlay none /$tree \
    -o "lowerdir=$programs/$tree:/$tree,upperdir=$work/$tree,workdir=$work/$tree.work"
done
# What the machine has configured is no part of the trial.
rm -rf /etc/systemd/network /etc/systemd/networkd.conf.d /etc/netplan /etc/network/if-*.d/* \
  /etc/NetworkManager/system-connections
cp -a "$files/." /
mount -t tmpfs none /run
ldconfig
# A read-only /sys says that there is no udev to wait for.
mount -o remount,ro /sys
id systemd-network >/dev/null 2>&1 || {
  echo 'systemd-network:x:64998:64998::/:/usr/sbin/nologin' >>/etc/passwd
  echo 'systemd-network:x:64998:' >>/etc/group
}
bus() {
  mkdir -p /run/dbus
  cat >/run/dbus/private.conf <<'X'
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow eavesdrop="true"/><allow
 send_destination="*" eavesdrop="true"/></policy>
</busconfig>
X
  dbus-daemon --config-file=/run/dbus/private.conf --fork --nopidfile
}
sysctls() {
  /usr/lib/systemd/systemd-sysctl --strict /etc/sysctl.d/90-retour.conf
}
networkd() {
  mkdir -p /run/systemd/netif/links
  chown -R systemd-network:systemd-network /run/systemd/netif
  /usr/lib/systemd/systemd-networkd
}
network_manager() {
  printf '[main]\nplugins=keyfile\nauth-polkit=root-only\ndhcp=internal\ndns=none\n' >/run/nm.conf
  mkdir -p /var/lib/NetworkManager
  NetworkManager --debug --config /run/nm.conf
}
eval "$@"
