"""Which commands there are, and where each lives: a command is imported when it is called, not before.

Reading the signatures of all commands takes longer than most of them take to answer.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "render": ("render", "Print the rules of a node, as kube-proxy programs them."),
    "show": ("show", "Show the rules of one Service, each with what it does."),
    "explain": ("explain", "Explain why an endpoint is used on a node, or not."),
    "trace": ("trace", "Follow a packet through the rules: what becomes of it?"),
    "diff": ("diff", "Compare manifests, dumps and nodes, by Service."),
    "apply": ("apply", "Program a network namespace as kube-proxy would a node."),
    "cleanup": ("cleanup", "Remove what kube-proxy has programmed into a namespace."),
    "whose": ("whose", "Say whose a chain, an address, a port or a set entry is."),
    "validate": ("validate", "Check objects as the API server does; list every error."),
    "endpoints": ("endpoints", "Print the EndpointSlices that the controllers would make."),
    "allocate": ("allocate", "Give Services the addresses and ports that a cluster would."),
    "dns": ("dns", "Names and answers of the cluster DNS."),
    "get": ("kubectl", "Print objects of manifests as kubectl get does."),
    "describe": ("kubectl", "Describe a Service as kubectl does, then its rules."),
    "expose": ("kubectl", "Write the Service that kubectl expose makes."),
    "create": ("kubectl", "Write the Service that kubectl create service makes."),
    "userspace-proxy": ("userspace_proxy", "Run the proxy of the userspace mode."),
    "collect": ("collect", "Print a script that gathers a node into one archive."),
    "watch": ("watch", "Follow files, and print a transaction when they change."),
}
"""Name -> the module of its room, and what it does; in the order of the help."""


class _Commands(dict[str, Any]):
    """All names are there at once; a command is made when it is asked for."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(COMMANDS))

    def get(self, name: str, default: Any = None) -> Any:
        if name not in self:
            return default
        if self[name] is None:
            # A callback keeps typer from merging a group with a single command into that command.
            room = typer.Typer(rich_markup_mode=None)
            room.callback()(lambda: None)
            import_module(f"rulegen.cli.{COMMANDS[name][0]}").register(room)
            made = typer.main.get_group(room).commands
            self.update({each: made[each] for each in COMMANDS if each in made})
        return self[name]


class Commands(TyperGroup):
    """The group of all commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of the help, of which no command has to be made."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])
