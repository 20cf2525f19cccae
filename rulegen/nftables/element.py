"""Elements of the table's sets and maps."""

from __future__ import annotations

import msgspec


class Element(msgspec.Struct, frozen=True, gc=False):
    """An element of a set, or of a map where it has a ``value``.

    ``key`` is as nft takes it, its parts joined by `` . ``; ``value`` is a verdict; ``comment`` has no
    quotation marks.
    """

    container: str
    key: str
    value: str = ""
    comment: str = ""

    @property
    def text(self) -> str:
        """What stands between the braces of ``add element``."""
        comment = f' comment "{self.comment}"' if self.comment else ""
        value = f" : {self.value}" if self.value else ""
        return f"{self.key}{comment}{value}"
