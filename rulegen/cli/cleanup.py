"""``rulegen cleanup``: remove from a network namespace what kube-proxy leaves."""

from __future__ import annotations

import typer

from rulegen.cli.apply import DryRun, HostNetns, Netns, Output, Seconds, target_of, tell
from rulegen.netns.space import TIMEOUT

EXAMPLES = """
Examples:

\b
  # All that any mode of kube-proxy has left in a namespace
  rulegen cleanup --netns n1
\b
  # The same on this host; what would be removed
  rulegen cleanup --host-netns --dry-run
"""


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(cleanup)


def cleanup(
    netns: Netns = None,
    host_netns: HostNetns = False,
    dry_run: DryRun = False,
    output: Output = "text",
    timeout: Seconds = TIMEOUT,
) -> None:
    """Remove what kube-proxy, in any mode, has programmed into a namespace, and only that.

    Rules, chains, tables, sets and virtual servers of others stay, as do chains that kubelet has a use for,
    and settings of the kernel (sysctls).
    """
    from rulegen.netns import programs

    if netns is None and not host_netns:
        raise ValueError("which namespace? --netns NAME, or --host-netns for the host's own")
    target = target_of(netns, host_netns=host_netns, seconds=timeout)
    tell(programs.cleanup(target, dry_run=dry_run), output)
