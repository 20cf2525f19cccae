"""nf_tables in memory: what it takes, what it refuses, what it lists; the kernel is the judge."""

from __future__ import annotations

import pytest

from rulegen.fake import Nftables, RefusedError
from rulegen.model import Family
from rulegen.nftables.diff import diff
from rulegen.nftables.listing import read
from rulegen.nftables.table import Table, equal
from tests.kernel.netns import Namespace, need
from tests.nftables.tables import many

T = "ip kube-proxy"
SCRIPTS = [
    f"delete chain {T} reject-chain",
    f"delete chain {T} nowhere",
    f"delete chain {T} nat-output",
    f"flush chain {T} nowhere",
    f"delete set {T} cluster-ips",
    f"delete map {T} cluster-ips",
    f"delete map {T} localhost",
    f"flush map {T} service-ips",
    f"add rule {T} nowhere drop",
    f"add rule {T} services jump nowhere",
    f"add rule {T} services jump nat-output",
    f"add rule {T} services jump services",
    f"add rule {T} services goto masquerading",
    f"add rule {T} services ip saddr @nowhere drop",
    f"add rule {T} services counter name nowhere drop",
    f"add rule {T} masquerading jump services",
    f"add rule {T} firewall-check jump services",
    f"add rule {T} reject-chain goto service-ips",
    f"add rule {T} services drop comment \"{'x' * 128}\"",
    f"add rule {T} services drop comment \"{'x' * 129}\"",
    f"insert rule {T} services drop",
    f"add chain {T} loop\nadd rule {T} loop jump services\nadd rule {T} services jump loop",
    f"add chain {T} new\nadd chain {T} new\nadd rule {T} services jump new\ndelete chain {T} new",
    f"add chain {T} new\nadd rule {T} services jump new\nflush chain {T} services\ndelete chain {T} new",
    f"create chain {T} services",
    f"create chain {T} new",
    f"add chain {T} nat-output {{ type nat hook output priority -100 ; policy drop ; }}",
    f"add chain {T} nat-output {{ type nat hook output priority -90 ; }}",
    f"add chain {T} services {{ type nat hook output priority -90 ; }}",
    f"add chain {T} {'n' * 255}",
    f"add chain {T} {'n' * 256}",
    f"add set {T} cluster-ips {{ type ipv4_addr ; }}",
    f"add set {T} cluster-ips {{ type inet_service ; }}",
    f"add map {T} cluster-ips {{ type ipv4_addr : verdict ; }}",
    f"add set {T} service-ips {{ type ipv4_addr ; }}",
    f"create set {T} cluster-ips {{ type ipv4_addr ; }}",
    f"add set {T} new {{ type ipv4_addr ; }}\nadd rule {T} services ip saddr @new drop\ndelete set {T} new",
    f"add element {T} cluster-ips {{ 10.9.9.9 }}",
    f"add element {T} cluster-ips {{ 10.96.1.0 }}",
    f"add element {T} cluster-ips {{ 10.9.9.9 , 10.9.9.8 }}",
    f"add element {T} nowhere {{ 10.9.9.9 }}",
    f"add element {T} cluster-ips {{ 10.9.9.9 . tcp }}",
    f"add element {T} service-ips {{ 10.9.9.9 . tcp . 80 }}",
    f"add element {T} service-ips {{ 10.96.1.0 . tcp . 80 : drop }}",
    f"add element {T} service-ips {{ 10.9.9.9 . tcp . 80 : drop }}",
    f"add element {T} service-ips {{ 10.9.9.9 . tcp . 80 : goto nowhere }}",
    f"add element {T} service-ips {{ 10.9.9.9 . tcp . 80 : goto nat-output }}",
    f"add element {T} service-ips {{ 10.9.9.9 . tcp . 80 : goto services }}",
    f"add element {T} service-ips {{ 10.9.9.9 . tcp . 80 : goto masquerading }}",
    f"add element {T} service-ips {{ 10.9.9.9 . tcp . 80 : drop , 10.9.9.9 . tcp . 80 : accept }}",
    f"delete element {T} cluster-ips {{ 10.96.1.0 }}",
    f"delete element {T} cluster-ips {{ 10.9.9.9 }}",
    f"delete element {T} service-ips {{ 10.96.1.0 . tcp . 80 : drop }}",
    f"delete element {T} cluster-ips {{ 10.96.1.0 }}\nadd element {T} cluster-ips {{ 10.96.1.0 }}",
    f"add counter {T} hits\nadd rule {T} services counter name hits\ndelete counter {T} hits",
    f"add counter {T} hits\nadd counter {T} hits\ndelete counter {T} hits",
    f"delete counter {T} hits",
    "add table ip kube-proxy",
    "create table ip kube-proxy",
    "delete table ip kube-proxy",
    "delete table ip nowhere",
    "add chain ip nowhere new",
    "flush table ip kube-proxy",
    "flush ruleset",
    "add table ip6 kube-proxy\nadd chain ip6 kube-proxy new\nadd rule ip6 kube-proxy new drop",
    f"add rule {T} services drop\nadd rule {T} nowhere drop",
    "nonsense",
]  # fmt: skip


REFUSED = {
    "an unknown chain": (f"add rule {T} nowhere drop", 1, "no chain nowhere"),
    "an unknown target": (f"\nadd rule {T} services jump nowhere", 2, "no chain nowhere"),
    "an unknown set": (f"add rule {T} services ip saddr @nowhere drop", 1, "no set or map nowhere"),
    "a chain in use": (f"delete chain {T} reject-chain", 1, "chain reject-chain is in use"),
    "a set in use": (f"delete set {T} cluster-ips", 1, "set cluster-ips is in use"),
    "a base chain": (
        f"add rule {T} services jump nat-output",
        1,
        "no jump to nat-output, which is a base chain",
    ),
    "another priority": (
        f"add chain {T} nat-output {{ type nat hook output priority -90 ; }}",
        1,
        "chain nat-output is there with another type, hook or priority",
    ),
    "another value": (
        f"add element {T} service-ips {{ 10.96.1.0 . tcp . 80 : drop }}",
        1,
        "element 10.96.1.0 . tcp . 80 is in service-ips with another value",
    ),
    "an unknown element": (
        f"delete element {T} cluster-ips {{ 1.1.1.1 }}",
        1,
        "no element 1.1.1.1 in cluster-ips",
    ),
    "a loop": (f"add rule {T} reject-chain jump reject-chain", 1, "loop through chain reject-chain"),
    "an unknown table": ("delete table ip nowhere", 1, "no table ip nowhere"),
    "a listing": ("table ip x {", 1, "no command: 'table ip x {'"),
}  # fmt: skip


def full() -> Nftables:
    kernel = Nftables()
    kernel.run(diff(None, many()).text)
    return kernel


def table_of(node: Namespace, family: Family) -> Table | None:
    return read(node.run("nft", "list", "ruleset")).tables.get(family)


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_told_with_its_line_and_changes_nothing(what: str) -> None:
    text, line, fault = REFUSED[what]
    kernel = full()
    before = kernel.list()
    with pytest.raises(RefusedError) as caught:
        kernel.run(f"{text}\n")
    assert (caught.value.line, caught.value.fault) == (line, fault)
    assert kernel.list() == before


def test_a_script_takes_place_as_a_whole_or_not_at_all() -> None:
    kernel = full()
    before = kernel.list()
    with pytest.raises(RefusedError):
        kernel.run(f"flush chain {T} services\ndelete table {T}\nadd chain {T} late\n")
    assert kernel.list() == before


def test_asking_whether_a_script_is_taken_changes_nothing() -> None:
    kernel = full()
    before = kernel.list()
    kernel.run(f"delete table {T}\n", check=True)
    assert kernel.list() == before


def test_a_copy_goes_its_own_way() -> None:
    kernel = full()
    other = kernel.copy()
    other.run(f"flush chain {T} services\n")
    assert kernel.table("IPv4") == many()
    assert other.table("IPv4") != many()


def test_a_kernel_begins_with_what_a_node_lists_and_keeps_foreign_tables() -> None:
    kernel = Nftables.from_listing(full().list())
    assert kernel.table("IPv4") == many()
    kernel.run("add table inet mine\nadd chain inet mine c\nadd rule inet mine c tcp dport 22 accept\n")
    kernel.run(diff(kernel.table("IPv4"), many("10.10.2.7")).text)
    assert kernel.list().endswith("table inet mine {\n\tchain c {\n\t\ttcp dport 22 accept\n\t}\n}\n")


@pytest.mark.kernel
@pytest.mark.parametrize("text", SCRIPTS)
def test_the_kernel_in_memory_takes_and_refuses_what_the_kernel_does(netns: Namespace, text: str) -> None:
    need("nft")
    kernel = full()
    netns.run("nft", "-f", "-", stdin=diff(None, many()).text)
    refused = netns.refuses("nft", "-f", "-", stdin=text + "\n")
    if refused:
        with pytest.raises(RefusedError):
            kernel.run(text)
    else:
        kernel.run(text)
    assert equal(table_of(netns, "IPv4"), kernel.table("IPv4"))
    assert equal(table_of(netns, "IPv6"), kernel.table("IPv6"))
