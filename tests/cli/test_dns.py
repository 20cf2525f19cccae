"""Names of a cluster on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import FIXTURES, Rulegen

NGX = str(FIXTURES / "ngx")


def test_the_names_of_one_service(rulegen: Rulegen) -> None:
    done = rulegen("dns", "ngx-svc", "-f", NGX)
    assert done.code == 0
    assert done.out.splitlines()[:3] == [
        "NAME                                             TYPE   DATA",
        "ngx-svc.default.svc.cluster.local.               A      10.96.240.115",
        "ngx-svc.default.svc.cluster.local.               SRV    0 100 80 ngx-svc.default.svc.cluster.local.",
    ]


def test_without_a_name_all_are_listed(rulegen: Rulegen) -> None:
    names = {record["name"] for record in json.loads(rulegen("dns", "-f", NGX, "-o", "json").out)}
    assert {"ngx-svc.default.svc.cluster.local.", "10-10-1-86.default.pod.cluster.local."} <= names


def test_the_name_may_stand_behind_the_options_and_be_written_in_many_ways(rulegen: Rulegen) -> None:
    plain = rulegen("dns", "ngx-svc", "-f", NGX).out
    for name in (
        "svc/ngx-svc",
        "ngx-svc.default",
        "ngx-svc.default.svc",
        "ngx-svc.default.svc.cluster.local.",
    ):
        assert rulegen("dns", "-f", NGX, name).out == plain


def test_a_name_that_is_not_there_is_said_and_exits_with_1(rulegen: Rulegen) -> None:
    done = rulegen("dns", "nothere", "-f", NGX)
    assert (done.code, done.out) == (1, "")
    assert "no name nothere.default.svc.cluster.local." in done.err


def test_lines_for_etc_hosts(rulegen: Rulegen) -> None:
    done = rulegen("dns", "ngx-svc", "-f", NGX, "-o", "hosts")
    assert done.out.splitlines()[0] == "10.96.240.115\tngx-svc.default.svc.cluster.local"


def test_a_zone_file_of_another_domain_and_of_the_way_back(rulegen: Rulegen) -> None:
    forward = rulegen("dns", "-f", NGX, "-o", "zone", "--cluster-domain", "lab.example", "--ttl", "5").out
    assert "ngx-svc.default.svc.lab.example. 5 IN A 10.96.240.115\n" in forward
    back = rulegen("dns", "-f", NGX, "-o", "zone", "--zone", "IPv4").out
    assert "115.240.96.10.in-addr.arpa. 30 IN PTR ngx-svc.default.svc.cluster.local.\n" in back


def test_resolve_shows_what_a_pod_asks_and_where_it_ends(rulegen: Rulegen) -> None:
    done = rulegen("dns", "resolve", "ngx-svc", "-f", NGX)
    assert done == (
        0,
        "#   NAME                                 TYPE   ANSWER\n"
        "1   ngx-svc.default.svc.cluster.local.   A      10.96.240.115\n"
        "2   ngx-svc.default.svc.cluster.local.   AAAA   NOERROR, no answer: the name exists, but has no AAAA"
        " record\n"
        "ngx-svc is ngx-svc.default.svc.cluster.local.: 10.96.240.115\n",
        done.err,
    )


def test_resolve_from_the_wrong_namespace_says_which_is_right(rulegen: Rulegen) -> None:
    done = rulegen("dns", "resolve", "ngx-svc", "-f", NGX, "--from-namespace", "prod")
    assert done.code == 1
    assert "1   ngx-svc.prod.svc.cluster.local.   A      NXDOMAIN: no such name\n" in done.out
    assert done.out.endswith("namespace default has a Service ngx-svc: ask for ngx-svc.default\n")


def test_resolve_tells_no_such_type_from_no_such_name(rulegen: Rulegen) -> None:
    typeless = rulegen("dns", "resolve", "ngx-svc.default.svc.cluster.local.", "-t", "AAAA", "-f", NGX)
    assert typeless.code == 1 and "exists, but has no AAAA record" in typeless.out
    nameless = rulegen("dns", "resolve", "x.default.svc.cluster.local.", "-f", NGX, "-o", "json")
    assert nameless.code == 1 and json.loads(nameless.out)["outcome"] == "no such name"


def test_a_wrong_place_to_listen_is_refused_in_words(rulegen: Rulegen) -> None:
    done = rulegen("dns", "serve", "-f", NGX, "--listen", "everywhere")
    assert done.code == 2 and "as in 127.0.0.1:5353" in done.err


def test_the_group_and_each_command_have_help(rulegen: Rulegen) -> None:
    assert "rulegen dns resolve web.prod" in rulegen("dns", "--help").out
    for command in ("list", "resolve", "serve"):
        assert rulegen("dns", command, "--help").code == 0


def test_a_name_is_looked_for_as_a_pod_would(rulegen: Rulegen) -> None:
    """A pod of a StatefulSet is NAME.SERVICE, which could as well be a Service and its namespace."""
    made = rulegen("dns", "10-10-1-86.ngx-svc", "-f", NGX).out
    assert "10-10-1-86.ngx-svc.default.svc.cluster.local.   A      10.10.1.86\n" in made
    gone = rulegen("dns", "ngx-svc.prod", "-f", NGX)
    assert gone.code == 1
    assert "no name ngx-svc.prod.default.svc.cluster.local. or ngx-svc.prod.svc.cluster.local." in gone.err


def test_names_need_no_node_however_many_there_are(rulegen: Rulegen, tmp_path: Path) -> None:
    (tmp_path / "n2.yaml").write_text("apiVersion: v1\nkind: Node\nmetadata: {name: n2}\n")
    assert rulegen("dns", "ngx-svc", "-f", NGX, "-f", "n2.yaml").code == 0


def test_lines_for_etc_hosts_are_for_names_that_people_ask_for(rulegen: Rulegen) -> None:
    assert "arpa" not in rulegen("dns", "-f", NGX, "-o", "hosts").out


def test_an_address_is_not_asked_for_but_its_name_can_be(rulegen: Rulegen) -> None:
    plain = rulegen("dns", "resolve", "10.96.240.115", "-f", NGX)
    assert (plain.code, plain.out) == (
        0,
        "10.96.240.115 is an address already: nothing is asked (-t PTR asks for its name)\n",
    )
    back = rulegen("dns", "resolve", "10.96.240.115", "-t", "ptr", "-f", NGX).out
    assert "115.240.96.10.in-addr.arpa.   PTR    ngx-svc.default.svc.cluster.local.\n" in back


def test_a_name_without_the_type_is_told_though_servers_upstream_come_last(rulegen: Rulegen) -> None:
    done = rulegen("dns", "resolve", "ngx-svc", "-t", "AAAA", "-f", NGX)
    assert done.code == 1
    assert done.out.endswith(
        "ngx-svc is not found: ngx-svc.default.svc.cluster.local. exists, but has no AAAA record, and"
        " ngx-svc. is left to the servers upstream\n"
    )


def test_a_pod_of_another_namespace_is_meant_by_either_option(rulegen: Rulegen) -> None:
    asked = ("dns", "resolve", "ngx-svc", "-f", f"{NGX}/app.yaml")
    from_prod = rulegen(*asked, "--from-namespace", "prod")
    assert "ngx-svc.prod.svc.cluster.local." in from_prod.out and from_prod.code == 1
    assert "default has a Service ngx-svc: ask for ngx-svc.default" in from_prod.out
    assert "ngx-svc.prod.svc.cluster.local." in rulegen(*asked, "-n", "prod").out


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["a b"], "'a b': a domain name is meant"),
        ([".."], "'..': a domain name is meant"),
        (["a..b"], "'a..b' is no domain name"),
        (["x" * 64], "a label has 1 to 63 bytes"),
        (["web", "-t", "BLAH"], "--type BLAH: no type of DNS; known: A, AAAA"),
        (["web", "--from-namespace", "Prod"], "--from-namespace Prod: no name of a namespace"),
        (["web", "--cluster-domain", "a b"], "'a b': a domain name is meant"),
    ],
)
def test_a_question_that_nobody_can_ask_is_refused(rulegen: Rulegen, words: list[str], fault: str) -> None:
    done = rulegen("dns", "resolve", *words, "-f", NGX)
    assert (done.code, done.out) == (2, "") and fault in done.err
