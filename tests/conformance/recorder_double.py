"""Stands in for the recorder: ours in its forms, with another idea of Services called odd.

Its generator makes one such Service among every ten. A Service without a name or a clusterIP it refuses,
one called fickle it records in another way each time.
"""

import json
import sys
from typing import Any

from rulegen.conformance import replay


def scenario(seed: int, number: int, mode: str) -> dict[str, Any]:
    odd = number % 10 == 7
    services = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "odd" if odd and last == 2 else f"svc-{last}", "namespace": "default"},
            "spec": {
                "clusterIP": f"10.96.0.{last + 1}",
                "clusterIPs": [f"10.96.0.{last + 1}"],
                "ipFamilies": ["IPv4"],
                "ports": [{"port": 80 + seed}],
            },
        }
        for last in range(4)
    ]
    return {
        "name": f"g{seed}-{number:05d}-{mode}",
        "version": "1.37",
        "mode": mode,
        "families": ["IPv4"],
        "config": {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": mode,
        },
        "node": {"name": "node-a"},
        "services": services,
        "slices": [],
    }


def record(case: dict[str, Any], times: int) -> dict[str, Any]:
    names = [service.get("metadata", {}).get("name") for service in case["services"]]
    if not all(names) or not all("clusterIP" in service.get("spec", {}) for service in case["services"]):
        return {"scenario": case, "error": "not valid"}
    rules = replay(case)
    for family in rules.values():
        if "odd" in names:
            family["jumps"] = [*family["jumps"], "nat -N ODD"]
        if "fickle" in names:
            family["jumps"] = [*family["jumps"], f"nat -N FICKLE-{times}"]
    return {"scenario": case, "expected": rules}


def main() -> None:
    command, *arguments = sys.argv[1:]
    if command == "generate":
        options = dict(zip(arguments[::2], arguments[1::2], strict=True))
        first = int(options["-first"])
        for number in range(first, first + int(options["-count"])):
            made = scenario(int(options["-seed"]), number, options["-mode"])
            sys.stdout.write(json.dumps(made) + "\n")
        return
    for times, line in enumerate(sys.stdin):
        case = json.loads(line)
        sys.stdout.write(json.dumps(record(case.get("scenario", case), times)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
