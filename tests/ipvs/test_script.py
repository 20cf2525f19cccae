"""The shell script without a kernel: its syntax, its quoting, and what it finds to change."""

from __future__ import annotations

import ipaddress
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rulegen.ipvs import script
from rulegen.ipvs.script import CHANGES
from tests.ipvs.rulesets import covering, rulesets

SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]
SAMPLE = [case["scenario"] for case in covering("1.37-ipvs")]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def server_changes(there: str, wanted: str, *, ipv6: bool = False, excluded: str = "") -> list[str]:
    text = f"{CHANGES}\nserver_changes {int(ipv6)} '{excluded}'"
    done = subprocess.run(
        ["sh", "-c", text], input=f"{there}\n#\n{wanted}", text=True, capture_output=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_can_read_the_script(shell: str) -> None:
    for scenario in SAMPLE:
        text = "".join(script(ruleset) for ruleset in rulesets(scenario))
        command = [shell, "sh", "-n"] if shell == "busybox" else [shell, "-n"]
        done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_data_stands_in_quoted_here_documents_only() -> None:
    for scenario in SAMPLE:
        for ruleset in rulesets(scenario):
            addresses = {server.address for server in ruleset.virtual_servers().values()}
            inside = False
            for line in script(ruleset).splitlines():
                if inside:
                    inside = line != "END"
                elif line.endswith("<<'END'") or "<<'END' |" in line:
                    inside = True
                else:
                    assert not any(address in line for address in addresses)
            assert not inside


def test_where_nothing_is_yet_all_is_added_in_order() -> None:
    wanted = "-A -t 10.96.0.1:80 -s rr\n-a -t 10.96.0.1:80 -r 10.10.0.1:80 -m -w 1\n"
    assert server_changes("", wanted) == wanted.splitlines()


def test_where_all_is_as_wanted_nothing_is_done() -> None:
    there = "-A -t 10.96.0.1:80 -s rr\n-a -t 10.96.0.1:80 -r 10.10.0.1:80 -m -w 1"
    assert server_changes(there, there + "\n") == []


def test_what_differs_is_edited_and_what_is_stale_goes_last() -> None:
    there = (
        "-A -t 10.96.0.1:80 -s rr -p 300\n"
        "-a -t 10.96.0.1:80 -r 10.10.0.1:80 -m -w 0\n"
        "-a -t 10.96.0.1:80 -r 10.10.0.2:80 -m -w 1\n"
        "-A -u 10.96.0.9:53 -s rr\n"
        "-a -u 10.96.0.9:53 -r 10.10.0.9:53 -m -w 1"
    )
    wanted = (
        "-A -t 10.96.0.1:80 -s rr\n"
        "-a -t 10.96.0.1:80 -r 10.10.0.1:80 -m -w 1\n"
        "-A -u 10.96.0.1:80 -s rr\n"
        "-a -u 10.96.0.1:80 -r 10.10.0.2:80 -m -w 1\n"
    )
    assert server_changes(there, wanted) == [
        "-E -t 10.96.0.1:80 -s rr",
        "-e -t 10.96.0.1:80 -r 10.10.0.1:80 -m -w 1",
        "-A -u 10.96.0.1:80 -s rr",
        "-a -u 10.96.0.1:80 -r 10.10.0.2:80 -m -w 1",
        "-d -t 10.96.0.1:80 -r 10.10.0.2:80",
        "-D -u 10.96.0.9:53",
    ]


def test_servers_of_the_other_family_and_by_mark_are_nobodys_business() -> None:
    there = "-A -t [fd00::1]:80 -s rr\n-a -t [fd00::1]:80 -r [fd00::2]:80 -m -w 1\n-A -f 7 -s rr"
    assert server_changes(there, "") == []
    assert server_changes(there, "", ipv6=True) == ["-D -t [fd00::1]:80"]


def _in_reach(network: st.SearchStrategy[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> st.SearchStrategy:
    """A network, with addresses that are near its edges or anywhere."""
    return network.flatmap(
        lambda net: st.tuples(
            st.just(net),
            st.lists(
                st.one_of(
                    st.sampled_from([net[0], net[-1]]),
                    st.integers(0, 2**net.max_prefixlen - 1).map(type(net[0])),
                    st.integers(-3, 3).map(
                        lambda step: type(net[0])((int(net[-1]) + step) % 2**net.max_prefixlen)
                    ),
                ),
                min_size=1,
                max_size=30,
                unique=True,
            ),
        )
    )


FOUR = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(
    lambda pair: ipaddress.IPv4Network(pair, strict=False)
)
SIX = st.tuples(
    # Long runs of zeros, as real addresses have them, are what `::` stands for.
    st.one_of(st.integers(0, 2**128 - 1), st.integers(0, 2**16).map(lambda n: (0x20010DB8 << 96) + n)),
    st.integers(0, 128),
).map(lambda pair: ipaddress.IPv6Network(pair, strict=False))


@settings(deadline=None, max_examples=80)
@given(st.one_of(_in_reach(FOUR), _in_reach(SIX)))
def test_an_address_is_excluded_if_and_only_if_it_is_in_the_network(
    case: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, list[Address]],
) -> None:
    network, addresses = case
    six = network.version == 6
    plain = [a for a in addresses if not (isinstance(a, ipaddress.IPv6Address) and a.ipv4_mapped)]
    there = {f"-t [{a}]:80" if six else f"-t {a}:80": a for a in plain}
    gone = server_changes(
        "\n".join(f"-A {key} -s rr" for key in there),
        "",
        ipv6=six,
        excluded=f"{network.network_address.packed.hex()}/{network.prefixlen}",
    )
    assert sorted(gone) == sorted(f"-D {key}" for key, a in there.items() if a not in network)
