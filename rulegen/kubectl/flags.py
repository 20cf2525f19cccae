"""Flags of a command line as kubectl reads them (spf13/pflag 1.0.10 under spf13/cobra 1.10).

``--name=value``, ``--name value``, ``-n value``, ``-nvalue``, ``-n=value``, flags after arguments, ``--`` to
end them; an underscore in a name is as good as a hyphen. A bool takes its value only after ``=``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from rulegen.kubectl.errors import KubectlError
from rulegen.load.api.answers import quoted

Kind: TypeAlias = Literal["string", "bool", "int", "strings"]
Value: TypeAlias = str | bool | int | tuple[str, ...]

_TRUE = frozenset(["1", "t", "T", "TRUE", "true", "True"])
_FALSE = frozenset(["0", "f", "F", "FALSE", "false", "False"])
_INTEGER = re.compile(
    r"([-+]?)(?:0[xX](?P<x>[0-9a-fA-F_]+)|0[bB](?P<b>[01_]+)|0[oO]?(?P<o>[0-7_]+)|(?P<d>0|[1-9][0-9_]*))",
    re.ASCII,
)


class Flag(msgspec.Struct, frozen=True):
    """One flag. ``bare`` is its value when it is given without one; a flag with none needs a value.

    ``lists`` of strings are given with commas, quoted as CSV, or by repeating the flag.
    """

    name: str
    kind: Kind = "string"
    short: str = ""
    default: Value = ""
    bare: str = ""

    def shown(self) -> str:
        return f"-{self.short}, --{self.name}" if self.short else f"--{self.name}"


def boolean(name: str, short: str = "", *, default: bool = False) -> Flag:
    return Flag(name, "bool", short, default, "true")


class Parsed(msgspec.Struct, frozen=True):
    """A command's arguments and flags.

    ``settings`` are the flags that were given, in order, each with its text. ``before_dash`` is how many
    arguments came before ``--``, or -1 where there was none.
    """

    arguments: tuple[str, ...]
    values: Mapping[str, Value]
    settings: tuple[tuple[str, str], ...]
    before_dash: int

    def given(self, name: str) -> bool:
        return any(name == each for each, _ in self.settings)

    def text(self, name: str) -> str:
        value = self.values[name]
        assert isinstance(value, str)
        return value

    def on(self, name: str) -> bool:
        return self.values[name] is True

    def number(self, name: str) -> int:
        value = self.values[name]
        assert isinstance(value, int)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.values[name]
        assert isinstance(value, tuple)
        return value


Give: TypeAlias = Callable[[Flag, str], None]
"""What takes a flag's value."""


class FlagSet:
    """The flags that a command knows."""

    def __init__(self, flags: Iterable[Flag]) -> None:
        self._flags = {flag.name: flag for flag in flags}
        self._short = {flag.short: flag for flag in self._flags.values() if flag.short}

    def named(self, name: str) -> Flag | None:
        return self._flags.get(name.replace("_", "-"))

    def short(self, letter: str) -> Flag | None:
        return self._short.get(letter)

    def parse(self, line: Sequence[str]) -> Parsed:
        """Read a command line; :class:`KubectlError` in pflag's words."""
        arguments: list[str] = []
        values: dict[str, Value] = {flag.name: flag.default for flag in self._flags.values()}
        settings: list[tuple[str, str]] = []
        before_dash = -1

        def give(flag: Flag, text: str) -> None:
            try:
                value = _value(flag, text)
            except ValueError as fault:
                raise KubectlError(
                    f"invalid argument {quoted(text)} for {quoted(flag.shown())} flag: {fault}"
                ) from None
            if flag.kind == "strings" and any(flag.name == name for name, _ in settings):
                before = values[flag.name]
                assert isinstance(before, tuple)
                assert isinstance(value, tuple)
                value = before + value
            values[flag.name] = value
            settings.append((flag.name, text))

        rest = list(reversed(line))
        while rest:
            word = rest.pop()
            if len(word) < 2 or word[0] != "-":
                arguments.append(word)
            elif word == "--":
                before_dash = len(arguments)
                arguments.extend(reversed(rest))
                break
            elif word[1] == "-":
                self._long(word, rest, give)
            else:
                self._shorts(word, rest, give)
        return Parsed(tuple(arguments), values, tuple(settings), before_dash)

    def _long(self, word: str, rest: list[str], give: Give) -> None:
        name, equals, text = word[2:].partition("=")
        if not name or name[0] == "-":
            raise KubectlError(f"bad flag syntax: {word}")
        flag = self.named(name)
        if flag is None:
            raise KubectlError(f"unknown flag: --{name}")
        if not equals:
            if flag.bare:
                text = flag.bare
            elif rest:
                text = rest.pop()
            else:
                raise KubectlError(f"flag needs an argument: --{name}")
        give(flag, text)

    def _shorts(self, word: str, rest: list[str], give: Give) -> None:
        letters = word[1:]
        while letters:
            flag = self.short(letters[0])
            if flag is None:
                raise KubectlError(f"unknown shorthand flag: '{letters[0]}' in -{letters}")
            after = letters[1:]
            if len(letters) > 2 and after[0] == "=":
                give(flag, after[1:])
                return
            if flag.bare:
                give(flag, flag.bare)
                letters = after
                continue
            if after:
                give(flag, after)
            elif rest:
                give(flag, rest.pop())
            else:
                raise KubectlError(f"flag needs an argument: '{letters[0]}' in -{letters}")
            return


def _value(flag: Flag, text: str) -> Value:
    if flag.kind == "bool":
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
        raise ValueError(f"strconv.ParseBool: parsing {quoted(text)}: invalid syntax")
    if flag.kind == "int":
        return parse_integer(text)
    if flag.kind == "strings":
        return tuple(_csv(text))
    return text


def parse_integer(text: str) -> int:
    """An integer as ``strconv.ParseInt(text, 0, 64)`` reads it; ValueError in its words."""
    found = _INTEGER.fullmatch(text)
    if found is None or text.endswith("_") or "__" in text:
        raise ValueError(f"strconv.ParseInt: parsing {quoted(text)}: invalid syntax")
    base = str(found.lastgroup)
    digits = found[base].replace("_", "")
    number = int(digits or "0", {"x": 16, "b": 2, "o": 8, "d": 10}[base])
    number = -number if found.group(1) == "-" else number
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"strconv.ParseInt: parsing {quoted(text)}: value out of range")
    return number


_QUOTED = re.compile(r'"((?:[^"]|"")*)"')


def _csv(text: str) -> list[str]:
    """The fields of one line of CSV (``encoding/csv``)."""
    if '"' not in text:
        return text.partition("\n")[0].split(",") if text else []
    found: list[str] = []
    at = 0
    while True:
        if text.startswith('"', at):
            field = _QUOTED.match(text, at)
            if field is None:
                raise _csv_fault(text, len(text), 'extraneous or missing " in quoted-field')
            end = field.end()
            if end < len(text) and text[end] != ",":
                raise _csv_fault(text, end - 1, 'extraneous or missing " in quoted-field')
            found.append(field.group(1).replace('""', '"'))
        else:
            end = text.find(",", at)
            end = len(text) if end < 0 else end
            bare = text.find('"', at, end)
            if bare >= 0:
                raise _csv_fault(text, bare, 'bare " in non-quoted-field')
            found.append(text[at:end])
        if end == len(text):
            return found
        at = end + 1


def _csv_fault(text: str, at: int, what: str) -> ValueError:
    return ValueError(f"parse error on line 1, column {len(text[:at].encode()) + 1}: {what}")
