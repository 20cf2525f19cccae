"""The kinds of recorded cases that a control plane is asked for: how each is made, and how it is compared.

The forms are those of fixtures/conformance/README.md. A kind makes its objects, waits until the controllers
have come to rest, writes down what is there, and removes it again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any, NamedTuple, TypeAlias

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype

from conformance.cluster import ask, node, objects
from conformance.cluster.plane import Plane
from rulegen import conformance
from rulegen.conformance.controllers import slice_groups, unordered

Object: TypeAlias = dict[str, Any]
Case: TypeAlias = dict[str, Any]

QUIET_SECONDS = 2.2
"""Controllers wait a second before they look at a change of their own again."""
REST_SECONDS = 60

PATHS = {
    "Node": "/api/v1/nodes", "Namespace": "/api/v1/namespaces", "Pod": "/api/v1/namespaces/{}/pods",
    "Service": "/api/v1/namespaces/{}/services", "Endpoints": "/api/v1/namespaces/{}/endpoints",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "ReplicaSet": "/apis/apps/v1/namespaces/{}/replicasets",
}  # fmt: skip
_SERVER_MADE = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "selfLink")
_TRIGGERED = "endpoints.kubernetes.io/last-change-trigger-time"


class Kind(NamedTuple):
    """``cases`` makes and records; ``differences`` compares a recorded case with ours, line by line."""

    cases: Callable[[Plane, int, int], Iterator[Case]]
    differences: Callable[[Case], list[str]]


# --- objects


def api(plane: Plane, seed: int, count: int) -> Iterator[Case]:
    """What the API server answers to a create; what it takes is removed at once.

    A dry run answers otherwise: it allocates nothing.
    """
    for number in range(count):
        chance = Random(f"api {seed} {number}")
        made = objects.for_the_api(chance, "default", number)
        path = PATHS[made["kind"]].format("default")
        answer = plane.request("POST", f"{path}?fieldValidation=Strict", made)
        case: Case = {"object": made, "code": answer.code}
        if answer.code == 201:
            plane.request("DELETE", f"{path}/{answer.body['metadata']['name']}")
            case["result"] = _as_recorded(made, answer.body)
        else:
            causes = (answer.body.get("details") or {}).get("causes") or []
            case["message"] = answer.body.get("message", "")
            case["errors"] = (
                [[c.get("field", ""), _allocated(c.get("message", ""), made)] for c in causes]
                if answer.code == 422
                else []
            )
        yield case


def _allocated(message: str, made: Object) -> str:
    """``*`` for what the server allocated before it refused the object."""
    given = str(made)

    def replaced(match: re.Match[str]) -> str:
        return match[1] + (match[2] if match[2] in given else "*") + match[3]

    return _ALLOCATED.sub(replaced, message)


_ALLOCATED = re.compile(r'(IPAddress\.networking\.k8s\.io "|Duplicate value: )([0-9a-f.:]+)("|$)')


def _as_recorded(made: Object, stored: Object) -> Object:
    """Without what the server makes up, and with ``*`` for what it allocated."""
    found = {key: value for key, value in stored.items() if key != "status"}
    metadata = found["metadata"] = dict(found["metadata"])
    for name in _SERVER_MADE:
        metadata.pop(name, None)
    if made["kind"] != "Service":
        return found
    given, spec = made.get("spec") or {}, found["spec"]
    if (
        spec.get("clusterIP") not in (None, "None")
        and not given.get("clusterIP")
        and not given.get("clusterIPs")
    ):
        spec["clusterIP"] = "*"
        spec["clusterIPs"] = ["*"] * len(spec["clusterIPs"])
    elif len(spec.get("clusterIPs") or ()) > len(given.get("clusterIPs") or [1]):
        spec["clusterIPs"] = [*spec["clusterIPs"][:-1], "*"]
    for place, port in enumerate(spec.get("ports") or ()):
        if port.get("nodePort") and not (given["ports"][place] or {}).get("nodePort"):
            port["nodePort"] = "*"
    if spec.get("healthCheckNodePort") and not given.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = "*"
    return found


def api_differences(case: Case) -> list[str]:
    answer = conformance.validate(case["object"])
    if case["code"] == 201:
        if answer != {"result": case["result"]}:
            return [f"taken: {case['result']}", f"ours:  {answer}"]
    elif case["code"] == 422:
        theirs, ours = (sorted(map(_plain, errors)) for errors in (case["errors"], answer.get("errors", [])))
        if theirs != ours:
            return [f"refused: {theirs}", f"ours:    {ours}"]
    elif not answer.get("errors"):
        return [f"refused: {case['code']} {case['message']}", f"ours:    {answer}"]
    return []


def _plain(error: list[str]) -> list[str]:
    """Messages that print a Go struct say it in Go's words: only the field counts."""
    field, message = error
    return [field] if "{" in message or "(*" in message else [field, message]


# --- controllers


def controllers(plane: Plane, seed: int, count: int) -> Iterator[Case]:
    """Batches that share their nodes: each case is a namespace."""
    batch = 25
    for first in range(0, count, batch):
        chance = Random(f"controllers {seed} {first}")
        made = objects.nodes(chance)
        names = [each["metadata"]["name"] for each in made]
        for each in made:
            _create(plane, each)
        spaces = [f"c{seed}-{number}" for number in range(first, min(first + batch, count))]
        for space in spaces:
            _create(plane, _namespace(space))
            _fill(plane, chance, space, names)
        _rest(plane)
        stored = [_bare(each) for each in plane.listed(PATHS["Node"])]
        for space in spaces:
            yield _controllers_case(plane, space, stored)
        _remove(plane, spaces)


def _fill(plane: Plane, chance: Random, space: str, node_names: list[str]) -> None:
    pods = [objects.pod(chance, space, n, node_names) for n in range(chance.choice([0, 1, 3, 5, 8, 12, 130]))]
    services = [objects.service(chance, space, n) for n in range(chance.randint(1, 4))]
    for pod in pods[: 130 if chance.random() < 0.3 else 12]:
        _create(plane, pod)
    for service in services:
        _create(plane, service)
        name = service["metadata"]["name"]
        if "selector" not in service["spec"] and chance.random() < 0.8:
            _create(plane, objects.endpoints(chance, space, name))


def _controllers_case(plane: Plane, space: str, nodes: list[Object]) -> Case:
    """As recorded: objects without what the server makes up, and what the controllers made of them."""
    found = [_bare(each) for kind in ("Pod", "Service") for each in plane.listed(PATHS[kind].format(space))]
    ends = [_bare(each) for each in plane.listed(PATHS["Endpoints"].format(space))]
    manager = "endpoints.kubernetes.io/managed-by"
    by_hand = [each for each in ends if manager not in (each["metadata"].get("labels") or {})]
    slices = plane.listed(PATHS["EndpointSlice"].format(space))
    return {
        "name": space,
        "objects": [*nodes, *found, *by_hand],
        "slices": [_slice(each) for each in slices],
        "endpoints": [_ends(each) for each in ends if each not in by_hand],
    }


def _slice(stored: Object) -> Object:
    found = _bare(stored)
    metadata = found["metadata"]
    metadata["namePrefix"] = metadata.pop("generateName", metadata["name"])
    for name in ("name", "ownerReferences"):
        metadata.pop(name, None)
    found["ports"] = found.get("ports") or None
    found["endpoints"] = sorted(found.get("endpoints") or (), key=lambda each: each["addresses"]) or None
    for each in found["endpoints"] or ():
        each.get("targetRef", {}).pop("uid", None)
    return found


def _ends(found: Object) -> Object:
    for subset in found.get("subsets") or ():
        for each in (*(subset.get("addresses") or ()), *(subset.get("notReadyAddresses") or ())):
            each.get("targetRef", {}).pop("uid", None)
    return found


def controllers_differences(case: Case) -> list[str]:
    lines = []
    ours, theirs = slice_groups(conformance.slices(case["objects"])), slice_groups(case["slices"])
    for key in sorted({*ours, *theirs}, key=str):
        if ours.get(key) != theirs.get(key):
            lines += [f"slices {key}", f"  theirs: {theirs.get(key)}", f"  ours:   {ours.get(key)}"]
    made, recorded = unordered(conformance.endpoints(case["objects"])), unordered(case["endpoints"])
    lines += [f"endpoints theirs: {each}" for each in recorded if each not in made]
    lines += [f"endpoints ours:   {each}" for each in made if each not in recorded]
    return lines


# --- kubectl


def kubectl(plane: Plane, seed: int, count: int) -> Iterator[Case]:
    """Namespaces of an application each, and what kubectl prints about them."""
    for number in range(count):
        chance = Random(f"kubectl {seed} {number}")
        space = f"k{seed}-{number}"
        made = objects.nodes(chance)
        for each in made:
            _create(plane, each)
        _create(plane, _namespace(space))
        for workload in ask.workloads(chance, space):
            _create(plane, workload)
        names = [each["metadata"]["name"] for each in made]
        for pod in [objects.pod(chance, space, n, names) for n in range(chance.randint(0, 6))]:
            _create(plane, pod)
        for service in [objects.service(chance, space, n) for n in range(chance.randint(2, 5))]:
            _create(plane, service)
            if "selector" not in service["spec"]:
                _create(plane, objects.endpoints(chance, space, service["metadata"]["name"]))
        _rest(plane)
        stored = [_without(each, "managedFields") for each in _all(plane, space)]
        commands = [_command(plane, space, arguments) for arguments in ask.commands(chance, stored)]
        yield {"name": space, "objects": stored, "commands": commands}
        _remove(plane, [space])


def _command(plane: Plane, space: str, arguments: list[str]) -> Object:
    """Ages are told in seconds: asked again where the second changed meanwhile.

    Events are of another kind than the objects of a case.
    """
    while True:
        plane.request("DELETE", f"/api/v1/namespaces/{space}/events")
        now = datetime.now(UTC).replace(microsecond=0)
        done = plane.kubectl(["-n", space, *arguments])
        if datetime.now(UTC).replace(microsecond=0) == now and "\nEvents:\n" not in done.stdout:
            break
    return {
        "args": arguments, "now": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "code": done.code,
        "stdout": done.stdout, "stderr": done.stderr,
    }  # fmt: skip


def kubectl_differences(case: Case) -> list[str]:
    lines = []
    for command in case["commands"]:
        ours = conformance.kubectl(case["objects"], ["-n", case["name"], *command["args"]], command["now"])
        for part in ("code", "stdout", "stderr"):
            if ours[part] != command[part]:
                lines.append(f"kubectl {' '.join(command['args'])}: {part}")
                lines += [f"  theirs: {command[part]!r}", f"  ours:   {ours[part]!r}"]
    return lines


# --- dns


def names(plane: Plane, seed: int, count: int) -> Iterator[Case]:
    """Namespaces, and what CoreDNS answers to questions about them, and about what is not there."""
    for number in range(count):
        chance = Random(f"dns {seed} {number}")
        space = f"d{seed}-{number}"
        _create(plane, _namespace(space))
        _named(plane, chance, space)
        _rest(plane)
        kinds = ("Pod", "Service", "Endpoints", "EndpointSlice")
        stored = [_bare(each) for kind in kinds for each in plane.listed(PATHS[kind].format(space))]
        questions = ask.questions(chance, space, stored)
        yield {"name": space, "objects": stored, "queries": [_asked(plane, *each) for each in questions]}
        _remove(plane, [space])


def _named(plane: Plane, chance: Random, space: str) -> None:
    """What names are made of; a pod has its address in one namespace only."""
    for pod in [objects.pod(chance, space, n, ["node-a"]) for n in range(chance.randint(0, 8))]:
        _create(plane, pod)
    for service in [objects.service(chance, space, n) for n in range(chance.randint(1, 4))]:
        _create(plane, service)
        name = service["metadata"]["name"]
        if "selector" in service["spec"]:
            continue
        made = chance.choice(["endpoints", "slices", "nothing"])
        if made == "endpoints":
            _create(plane, objects.endpoints(chance, space, name))
        for part in range(chance.randint(1, 2) if made == "slices" else 0):
            _create(plane, objects.endpoint_slice(chance, space, name, part))


def _asked(plane: Plane, name: str, kind: str) -> list[Any]:
    query = dns.message.make_query(name, kind)
    reply = dns.query.tcp(query, "127.0.0.1", port=plane.dns_port, timeout=10)
    answers = [
        [record_set.name.to_text(), dns.rdatatype.to_text(record_set.rdtype), data.to_text()]
        for record_set in reply.answer
        for data in record_set
    ]
    return [name, kind, dns.rcode.to_text(reply.rcode()), sorted(answers)]


def names_differences(case: Case) -> list[str]:
    lines = []
    for name, kind, rcode, answers in case["queries"]:
        ours = conformance.dns(case["objects"], name, kind)
        theirs = {"rcode": rcode, "answers": sorted(answers)}
        if ours != theirs:
            lines += [f"{name} {kind}", f"  theirs: {theirs}", f"  ours:   {ours}"]
    return lines


# --- nodes


def nodes(plane: Plane, seed: int, count: int) -> Iterator[Case]:
    """Namespaces that a real kube-proxy programs, one after the other."""
    yield from node.cases(plane, seed, count, lambda made: _create(plane, made))


def nodes_differences(case: Case) -> list[str]:
    return conformance.differences(case["scenario"], case["dumps"], case["variant"])


# --- all


def _namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _create(plane: Plane, made: Object) -> None:
    """Create an object, with its status; what the API server refuses of random objects is left out."""
    path = PATHS[made["kind"]].format(made["metadata"].get("namespace", ""))
    answer = plane.request("POST", path, made)
    if answer.code != 201:
        return
    if "status" in made:
        stored = answer.body | {"status": made["status"]}
        plane.request("PUT", f"{path}/{made['metadata']['name']}/status", stored)
    if made["kind"] == "Pod" and made["metadata"].get("finalizers"):
        plane.request("DELETE", f"{path}/{made['metadata']['name']}")


def _rest(plane: Plane) -> None:
    """Wait until no EndpointSlice, Endpoints or workload has changed for a while."""
    paths = [
        PATHS[kind].replace("/namespaces/{}", "")
        for kind in ("EndpointSlice", "Endpoints", "ReplicaSet", "Pod")
    ]
    before: list[Any] = []
    since = started = time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS and time.monotonic() - started < REST_SECONDS:
        now = [
            (each["metadata"]["uid"], each["metadata"]["resourceVersion"])
            for path in paths
            for each in plane.listed(path)
        ]
        if now != before:
            before, since = now, time.monotonic()
        time.sleep(0.25)


def _all(plane: Plane, space: str) -> list[Object]:
    of_space = ("Deployment", "ReplicaSet", "Pod", "Service", "Endpoints", "EndpointSlice")
    return [
        *plane.listed(PATHS["Node"]),
        *plane.listed(PATHS["Service"].format("default")),
        *[each for kind in of_space for each in plane.listed(PATHS[kind].format(space))],
    ]


def _remove(plane: Plane, spaces: list[str]) -> None:
    for space in spaces:
        for pod in plane.listed(PATHS["Pod"].format(space)):
            path = f"{PATHS['Pod'].format(space)}/{pod['metadata']['name']}"
            if pod["metadata"].get("finalizers"):
                patch = {"metadata": {"finalizers": None}}
                plane.request("PATCH", path, patch, kind="application/merge-patch+json")
            plane.request("DELETE", f"{path}?gracePeriodSeconds=0")  # no kubelet lets it go
        plane.request("DELETE", f"{PATHS['Namespace']}/{space}")
    for each in plane.listed(PATHS["Node"]):
        plane.request("DELETE", f"{PATHS['Node']}/{each['metadata']['name']}")
    started = time.monotonic()
    while time.monotonic() - started < REST_SECONDS:
        if not {each["metadata"]["name"] for each in plane.listed(PATHS["Namespace"])}.intersection(spaces):
            return
        time.sleep(0.2)


def _without(stored: Object, *names: str) -> Object:
    metadata = {key: value for key, value in stored["metadata"].items() if key not in names}
    return stored | {"metadata": metadata}


def _bare(stored: Object) -> Object:
    """Without what the server makes up, and when a change came."""
    found = _without(stored, *_SERVER_MADE)
    annotations = {k: v for k, v in (found["metadata"].get("annotations") or {}).items() if k != _TRIGGERED}
    found["metadata"].pop("annotations", None)
    if annotations:
        found["metadata"]["annotations"] = annotations
    return found


KINDS: dict[str, Kind] = {
    "api": Kind(api, api_differences),
    "controllers": Kind(controllers, controllers_differences),
    "kubectl": Kind(kubectl, kubectl_differences),
    "dns": Kind(names, names_differences),
    "nodes": Kind(nodes, nodes_differences),
}
