"""One POSIX shell script that programs a compiled ruleset on a node.

The order is kube-proxy's: kernel settings, the dummy device, sets, virtual servers and their addresses, and
iptables last, whose rules need the sets. Run again, or on a node that kube-proxy has programmed, the script
changes only what differs and removes what kube-proxy would remove: virtual servers of the family that no
Service has (unless ipvs.excludeCIDRs covers them), their real servers, and addresses on the dummy device.

Data stands in quoted here-documents only, line by line in forms that were checked when they were compiled;
nothing of it is ever seen by the shell's parser.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from rulegen.iptables.text import restore
from rulegen.ipvs.base import DUMMY, Settings, Sysctl
from rulegen.ipvs.ruleset import Ruleset
from rulegen.ipvs.sets import SETS, set_name
from rulegen.ipvs.text import added, create_line, ipvsadm
from rulegen.ipvs.transaction import SPARE_SET
from rulegen.model import Family
from rulegen.plan.addresses import Network, network

_HEAD = """\
#!/bin/sh
# kube-proxy's ipvs mode for {family}. Needs root, ip, ipset, ipvsadm, awk and {iptables}.
# {variable} may name another variant, such as {iptables}-legacy or {iptables}-nft.
set -eu
LC_ALL=C
export LC_ALL
iptables=${{{variable}:-{iptables}}}

fail() {{
    printf '%s\\n' "$*" >&2
    exit 1
}}

# Kernel modules; where they are built in, or loaded by the kernel itself, there is nothing to do.
modprobe -a {modules} >/dev/null 2>&1 || :
[ -d /proc/sys/net/ipv4/vs ] || fail 'this kernel has no IPVS'

setting() {{
    [ "$(cat "/proc/sys/$1")" = "$2" ] || printf '%s\\n' "$2" >"/proc/sys/$1"
}}
release=$(uname -r)
minor=${{release#*.}}
kernel=$((${{release%%.*}} * 1000 + ${{minor%%[!0-9]*}}))
{settings}
ip link show {dummy} >/dev/null 2>&1 || ip link add {dummy} type dummy
"""

# Both read what there is, a line with #, and what is wanted, and write what to do.
CHANGES = r"""
# Virtual and real servers, as `ipvsadm -Sn` prints them: what is new or different, then what has to go.
server_changes() {
    awk -v ipv6="$1" -v excluded="$2" '
        function digits(address,    half, part, n, i, j, text, missing) {
            text = ""
            if (address !~ /:/) {
                n = split(address, part, ".")
                for (i = 1; i <= n; i++) text = text sprintf("%02x", part[i])
                return text
            }
            n = split(address, half, "::")
            for (j = 1; j <= n; j++) {
                missing[j] = ""
                i = split(half[j], part, ":")
                for (text = ""; i > 0; i--) text = substr("0000" part[i], length(part[i]) + 1) text
                missing[j] = text
            }
            if (n == 1) return missing[1]
            text = missing[1]
            for (i = 32 - length(missing[1] missing[2]); i > 0; i--) text = text "0"
            return text missing[2]
        }
        function kept(key,    address, i, at, whole, rest, step) {
            address = key
            sub(/^[^ ]* /, "", address)
            sub(/:[0-9]*$/, "", address)
            gsub(/[][]/, "", address)
            address = digits(address)
            for (i = 1; i <= cidrs; i++) {
                at = index(cidr[i], "/")
                rest = substr(cidr[i], at + 1)
                whole = int(rest / 4)
                step = 2 ^ (4 - rest % 4)
                if (substr(address, 1, whole) == substr(cidr[i], 1, whole) \
                    && (rest % 4 == 0 || value(address, whole, step) == value(cidr[i], whole, step)))
                    return 1
            }
            return 0
        }
        function value(text, whole, step) {
            return int((index("0123456789abcdef", substr(text, whole + 1, 1)) - 1) / step)
        }
        BEGIN { cidrs = split(excluded, cidr, " ") }
        $1 == "#" { wanted = 1; next }
        $2 != "-t" && $2 != "-u" && $2 != "--sctp-service" { next }
        { key = $2 " " $3; real = key " -r " $5 }
        !wanted && $1 == "-A" { servers[key] = $0 }
        !wanted && $1 == "-a" { reals[real] = $0; owner[real] = key }
        wanted && $1 == "-A" {
            stays[key] = 1
            if (!(key in servers)) print
            else if (servers[key] != $0) print "-E" substr($0, 3)
        }
        wanted && $1 == "-a" {
            stays[real] = 1
            if (!(real in reals)) print
            else if (reals[real] != $0) print "-e" substr($0, 3)
        }
        END {
            for (real in reals) if (!(real in stays) && owner[real] in stays) print "-d " real
            for (key in servers)
                if (!(key in stays) && (key ~ /\[/) == ipv6 && !kept(key)) print "-D " key
        }'
}

# Addresses of the dummy device, as `ip -o addr` prints them.
address_changes() {
    awk -v device="$1" '
        $1 == "#" { wanted = 1; next }
        !wanted && NF && !/ scope link/ { bound[$4] = 1 }
        wanted && !($1 in bound) { print "address add " $1 " dev " device }
        wanted { stays[$1] = 1 }
        END { for (a in bound) if (!(a in stays)) print "address delete " a " dev " device }'
}
"""

_SERVERS = """
servers=$(ipvsadm -Sn)
changes=$(
    {{ printf '%s\\n' "$servers" '#' && cat; }} <<'END' | server_changes {ipv6} {excluded}
{wanted}END
)
if [ -n "$changes" ]; then
    # ipvsadm -R goes on after a line that fails, and does not tell it in its exit code.
    problems=$(printf '%s\\n' "$changes" | ipvsadm -R 2>&1) || :
    [ -z "$problems" ] || fail "ipvsadm: $problems"
fi
"""

_ADDRESSES = """
addresses=$(ip -o -{version} addr show dev {dummy})
changes=$(
    {{ printf '%s\\n' "$addresses" '#' && cat; }} <<'END' | address_changes {dummy}
{wanted}END
)
if [ -n "$changes" ]; then
    printf '%s\\n' "$changes" | ip -batch -
fi
"""

# Rules and jumps of a table are committed together. Which jumps are missing is found out beforehand, because
# iptables-restore holds the lock from its first line on.
_JUMP = """
jump() {
    "$iptables" --wait 5 -t "$1" -C "$2" -m comment --comment "$3" -j "$4" 2>/dev/null \\
        || printf '%s\\n' "-I $2 -m comment --comment \\"$3\\" -j $4"
}
"""

_JUMPS = """\
{table}_jumps=$(
{jumps})
"""

_TABLE = """\
    cat <<'END'
{rules}END
    printf '%s\\nCOMMIT\\n' "${table}_jumps"
"""


def script(ruleset: Ruleset) -> str:
    """The script of one family; those of both families may follow each other in one file."""
    return "".join(_parts(ruleset))


def _parts(ruleset: Ruleset) -> Iterator[str]:
    settings, family = ruleset.settings, ruleset.family
    ipv6 = family == "IPv6"
    yield _HEAD.format(
        family=family,
        iptables="ip6tables" if ipv6 else "iptables",
        variable="IP6TABLES" if ipv6 else "IPTABLES",
        modules=" ".join(settings.modules),
        settings="\n".join(_settings(settings)),
        dummy=DUMMY,
    )
    yield CHANGES
    yield "\nipset -exist restore <<'END'\n"
    yield from _sets(ruleset)
    yield "END\n"
    yield _SERVERS.format(
        ipv6=int(ipv6),
        excluded=shlex.quote(" ".join(_digits(network(cidr)) for cidr in settings.exclude_cidrs)),
        wanted=ipvsadm(ruleset),
    )
    yield _ADDRESSES.format(
        version=6 if ipv6 else 4,
        dummy=DUMMY,
        wanted="".join([f"{ip}/{128 if ipv6 else 32}\n" for ip in ruleset.addresses()]),
    )
    yield from _iptables(ruleset)


def _iptables(ruleset: Ruleset) -> Iterator[str]:
    sections = restore(ruleset).split("COMMIT\n")[:-1]
    tables = {section[1 : section.index("\n")]: section for section in sections}
    yield _JUMP
    for table in tables:
        calls = [
            f"    jump {table} {jump.source} {shlex.quote(jump.comment)} {jump.target}\n"
            for jump in ruleset.jumps
            if jump.table == table
        ]
        yield _JUMPS.format(table=table, jumps="".join(calls))
    yield "{\n"
    for table, rules in tables.items():
        yield _TABLE.format(table=table, rules=rules)
    yield '} | "$iptables-restore" --wait 5 --noflush --counters\n'


def _settings(settings: Settings) -> Iterator[str]:
    for sysctl in settings.sysctls:
        line = f"setting {sysctl.path} {sysctl.value}"
        condition = _kernels(sysctl)
        yield f"if {condition}; then {line}; fi" if condition else line
    if settings.timeouts is not None:
        yield "ipvsadm --set {} {} {}".format(*settings.timeouts)


def _kernels(sysctl: Sysctl) -> str:
    tests = []
    for bound, operator in ((sysctl.since, "-ge"), (sysctl.before, "-lt")):
        if bound is not None:
            tests.append(f'[ "$kernel" {operator} {bound[0] * 1000 + bound[1]} ]')
    return " && ".join(tests)


def _sets(ruleset: Ruleset) -> Iterator[str]:
    family: Family = ruleset.family
    entries = ruleset.sets()
    for kind in SETS:
        name = set_name(kind.name, family)
        yield f"{create_line(name, kind, family)}\n{create_line(SPARE_SET, kind, family)}\n"
        yield f"flush {SPARE_SET}\n"
        yield added(SPARE_SET, entries[kind.name])
        yield f"swap {SPARE_SET} {name}\ndestroy {SPARE_SET}\n"


def _digits(net: Network | None) -> str:
    """A network as the hexadecimal digits of its address and its length."""
    assert net is not None  # it was a network before it became text
    return f"{net.network_address.packed.hex()}/{net.prefixlen}"
