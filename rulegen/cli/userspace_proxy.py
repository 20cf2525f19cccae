"""``rulegen userspace-proxy``: the proxy that the rules of the userspace mode lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rulegen.cli import options

if TYPE_CHECKING:
    from rulegen.cli.inputs import Inputs

EXAMPLES = """
Examples:

\b
  # The rules, and the proxy that they lead to, in a network namespace of your own
  rulegen apply --mode userspace --kube-version 1.25 -f app.yaml --netns lab --create
  ip netns exec lab rulegen userspace-proxy -f app.yaml
"""

VERSION = "1.25"
"""The last Kubernetes version that had the mode."""


def register(app: typer.Typer) -> None:
    app.command("userspace-proxy", epilog=EXAMPLES)(options.takes_inputs(userspace_proxy))


def userspace_proxy(
    inputs: Inputs,
    udp_idle: Annotated[
        float,
        typer.Option(
            "--udp-timeout", metavar="SECONDS", min=0.01, help="Forget UDP clients that are silent."
        ),
    ] = 0.25,
    tcp_idle: Annotated[
        float,
        typer.Option(
            "--tcp-idle-timeout",
            metavar="SECONDS",
            min=0.0,
            help="Close TCP connections that are silent; 0: never, as kube-proxy.",
        ),
    ] = 0.0,
) -> None:
    """Proxy connections to the ready endpoints in turn, as kube-proxy 1.25 in userspace mode.

    It listens on the ports that `render --mode userspace` writes into the rules, until it is interrupted.
    Session affinity is honoured.
    """
    import asyncio

    import msgspec

    from rulegen.cli.output import note
    from rulegen.collector import goes_on
    from rulegen.userspace.proxy import Proxy
    from rulegen.userspace.services import services

    config = msgspec.structs.replace(inputs.config, mode="userspace")
    inputs = msgspec.structs.replace(inputs, config=config, version=VERSION)
    found = [each for family in inputs.families() for each in services(inputs.plan(family))]
    if not found:
        raise ValueError("no Service has a port that the userspace mode would proxy")
    _open_many_files()
    proxy = Proxy(found, udp_idle=udp_idle, tcp_idle=tcp_idle, note=note)

    def started() -> None:
        for each in found:
            endpoints = ", ".join(each.endpoints) or "no ready endpoint"
            note(f"{each.name}: {each.protocol} port {each.proxy_port} of {each.address} -> {endpoints}")
        note(f"proxying {len(found)} service port{'s' if len(found) != 1 else ''}")

    goes_on()
    asyncio.run(proxy.run(started))


def _open_many_files() -> None:
    """A proxy has two for each connection; kube-proxy raised its limit, too (to 64,000)."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 64_000 if hard == resource.RLIM_INFINITY else min(64_000, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
