"""Named scenarios: a directory with the objects, the machine and the configuration as a user writes them.

``objects.yaml`` holds Services, EndpointSlices and ServiceCIDRs as they are stored; ``node.yaml`` what is
known of the machine, in the form of node files; ``config.yaml`` a KubeProxyConfiguration. A story is told in
every mode, unless its configuration names one.

``python -m rulegen.conformance.stories DIRECTORY...`` prints them as scenarios in the form of
``fixtures/conformance/README.md``, one a line.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

RECORDED_MODES = ("iptables", "ipvs", "nftables")

_FIRST_KEYS = ("apiVersion", "kind", "metadata", "name", "namespace", "labels")


def read(directory: Path, version: str) -> list[dict[str, Any]]:
    """The story of a directory as scenarios, one for each mode in which it is told.

    ``version`` is a Kubernetes minor (``1.37``). Raises OSError where a file is missing, ``yaml.YAMLError``
    where one cannot be read, and ValueError where it holds something else than what belongs there.
    """
    config = _load(directory / "config.yaml")[0]
    node = _load(directory / "node.yaml")[0]
    objects = _load(directory / "objects.yaml")
    kinds: dict[str, list[dict[str, Any]]] = {"Service": [], "EndpointSlice": [], "ServiceCIDR": []}
    for item in objects:
        if item.get("kind") not in kinds:
            raise ValueError(f"{directory / 'objects.yaml'}: kind {item.get('kind')!r} makes no rules")
        kinds[item["kind"]].append(item)
    cidrs = _by_family(cidr for item in kinds["ServiceCIDR"] for cidr in item["spec"]["cidrs"])
    scenarios = []
    for mode in [config["mode"]] if config.get("mode") else RECORDED_MODES:
        scenario = {
            "name": f"{directory.name}-{mode}",
            "version": version,
            "mode": mode,
            "families": ["IPv4", "IPv6"],
            "config": config | {"mode": mode},
            "node": node,
            "services": kinds["Service"],
            "slices": kinds["EndpointSlice"],
        }
        if cidrs and mode == "nftables":
            scenario["serviceCIDRs"] = cidrs
        scenarios.append(scenario)
    return scenarios


def write(directory: Path, scenario: Mapping[str, Any], why: str) -> None:
    """Write a scenario as a story, told in its own mode only; ``why`` becomes the comment at its top."""
    objects = [*scenario.get("services", ()), *scenario.get("slices", ())]
    cidrs = [cidr for family in (scenario.get("serviceCIDRs") or {}).values() for cidr in family]
    if cidrs:
        metadata = {"name": "kubernetes"}
        api = "networking.k8s.io/v1"
        objects.append(
            {"apiVersion": api, "kind": "ServiceCIDR", "metadata": metadata, "spec": {"cidrs": cidrs}}
        )
    directory.mkdir(parents=True, exist_ok=True)
    comment = "".join(f"# {line}\n" for line in why.splitlines())
    (directory / "objects.yaml").write_text(comment + "---\n".join(map(_dump, objects)), encoding="utf-8")
    (directory / "node.yaml").write_text(_dump(scenario["node"]), encoding="utf-8")
    (directory / "config.yaml").write_text(_dump(scenario["config"]), encoding="utf-8")


def _load(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as text:
        documents = [item for item in yaml.load_all(text, _Loader) if item is not None]
    if any(not isinstance(item, dict) for item in documents):
        raise ValueError(f"{path}: a document is no mapping")
    return documents or [{}]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # chosen at run time
    """YAML as Kubernetes reads it where that differs: no dates."""


_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))


def _dump(value: Any) -> str:
    return yaml.safe_dump(_ordered(value), sort_keys=False, width=100, default_flow_style=False)


def _ordered(value: Any) -> Any:
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    first = [key for key in _FIRST_KEYS if key in value]
    return {key: _ordered(value[key]) for key in [*first, *(key for key in value if key not in first)]}


def _by_family(cidrs: Iterator[str]) -> dict[str, list[str]]:
    families: dict[str, list[str]] = {}
    for cidr in cidrs:
        families.setdefault(f"IPv{ipaddress.ip_network(cidr).version}", []).append(cidr)
    return families


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the stories of directories as scenarios."""
    parser = argparse.ArgumentParser(prog="python -m rulegen.conformance.stories", description=__doc__)
    parser.add_argument("--version", default="1.37", help="Kubernetes minor")
    parser.add_argument("directories", nargs="+", type=Path)
    options = parser.parse_args(arguments)
    for directory in options.directories:
        for scenario in read(directory, options.version):
            sys.stdout.write(json.dumps(scenario, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
