"""Jinja2 templates that frame what people read. The loops over a whole ruleset are never here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

Painter = Callable[[str], str]


def folder() -> Path:
    """Where the templates are: inside the installed package, or at the top of a source tree."""
    inside = Path(__file__).parent / "templates"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "templates"


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder()),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # plain text for terminals, not HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def report(name: str, painters: Mapping[str, Painter], **values: Any) -> str:
    """Fill the template ``NAME.txt.j2``. ``painters`` are its filters for emphasis (title, heading, aside).

    Raises jinja2.UndefinedError where a value is missing.
    """
    environment = _environment().overlay()
    environment.filters.update(painters)
    return environment.get_template(f"{name}.txt.j2").render(values)
