"""Commands whose words are kubectl's: what is ours of a command line, and what is passed on as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typer.core import TyperCommand


class Passing(TyperCommand):
    """A command that takes its own options out of a line and leaves all other words to kubectl's room.

    The library that parses command lines does not know kubectl's flags: it would take the ``n`` of
    ``-oname`` for one of ours, or a flag's value for one.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own: dict[str, bool] = {}
        for parameter in self.get_params(ctx):
            for name in (*parameter.opts, *parameter.secondary_opts):
                if name.startswith("-"):
                    own[name] = not getattr(parameter, "is_flag", False)
        ours, theirs = divided(args, own, self.name or "")
        return super().parse_args(ctx, [*ours, "--", *theirs])


def divided(line: Sequence[str], own: Mapping[str, bool], command: str) -> tuple[list[str], list[str]]:
    """Words that are options of ours, with their values, and all others in their order.

    ``own`` says of each of our options whether it takes a value; ``command`` is the one of kubectl's whose
    flags the others may be.
    """
    from rulegen.kubectl.commands import flags

    known = flags(command)
    ours: list[str] = []
    theirs: list[str] = []
    words = list(reversed(line))
    while words:
        word = words.pop()
        if word == "--":
            theirs += [word, *reversed(words)]
            break
        if word.startswith("--"):
            name, equals, _ = word.partition("=")
            mine = name in own
            flag = known.named(name[2:])
            valued = own[name] if mine else flag is not None and not flag.bare
            (ours if mine else theirs).append(word)
            if valued and not equals and words:
                (ours if mine else theirs).append(words.pop())
        elif len(word) > 1 and word[0] == "-":
            name, rest = word[:2], word[2:]
            mine = name in own
            flag = known.short(name[1])
            valued = own[name] if mine else flag is None or not flag.bare
            target = ours if mine else theirs
            if not valued and rest and rest[0] != "=":
                target.append(name)
                words.append(f"-{rest}")
            elif mine and valued and (rest or words):
                target += [name, rest.removeprefix("=") if rest else words.pop()]
            else:
                target.append(word)
                if valued and not rest and flag is not None and words:
                    target.append(words.pop())
        else:
            theirs.append(word)
    return ours, theirs
