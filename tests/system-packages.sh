#!/bin/sh
# Installs the system packages that the kernel tests need, where root and apt are there; says so where not.
set -eu
packages="iptables nftables ipset ipvsadm iproute2 conntrack kmod nfacct user-mode-linux nsd bind9 bind9-utils bind9-dnsutils"
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "system packages: not root or no apt-get here, nothing installed; kernel tests skip where a tool is missing"
    exit 0
fi
missing=""
for package in $packages; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "system packages: installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get -q update >/dev/null
# shellcheck disable=SC2086
apt-get -q install -y --no-install-recommends $missing >/dev/null
