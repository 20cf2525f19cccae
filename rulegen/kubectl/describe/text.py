"""The form of a description: fields aligned in two columns or more, labels and annotations, events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from rulegen.kubectl.age import age, moment
from rulegen.kubectl.plain import Object, at, number, text
from rulegen.kubectl.tables import escaped
from rulegen.kubectl.tabwriter import TabWriter

_LONGEST = 140
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Description:
    """Collects lines, each of cells with tabs between them, and aligns them."""

    def __init__(self) -> None:
        self._out = TabWriter(min_width=0, padding=2)

    def line(self, line: str, level: int = 0) -> None:
        self._out.write(escaped("  " * level + line) + "\n")

    def field(self, name: str, value: object, level: int = 0) -> None:
        self.line(f"{name}:\t{value}", level)

    def labels(self, labels: Mapping[str, str]) -> None:
        lines = [f"{key}={labels[key]}" for key in sorted(labels)] or ["<none>"]
        self.field("Labels", "\n\t".join(lines))

    def annotations(self, annotations: Mapping[str, str]) -> None:
        """Annotations in lines of their own where they are long; what ``kubectl apply`` keeps is left out."""
        lines: list[str] = []
        for key in sorted(annotations):
            if key == _LAST_APPLIED:
                continue
            value = annotations[key].removesuffix("\n")
            if len(value.encode()) + len(key.encode()) + 2 > _LONGEST or "\n" in value:
                lines.append(f"{key}:")
                lines += [f"  {_shortened(part)}" for part in value.split("\n")]
            else:
                lines.append(f"{key}: {value}")
        self.field("Annotations", "\n\t".join(lines or ["<none>"]))

    def events(self, events: Sequence[Object], now: datetime) -> None:
        """What happened to the object, the latest last."""
        if not events:
            self.field("Events", "<none>")
            return
        self.line("Events:")
        self.line("Type\tReason\tAge\tFrom\tMessage", 1)
        self.line("----\t------\t----\t----\t-------", 1)
        for event in sorted(events, key=_last_seen):
            place = text(event, "involvedObject", "fieldPath")
            message = text(event, "message").strip()
            cells = [
                text(event, "type"),
                text(event, "reason"),
                _interval(event, now),
                text(event, "source", "component") or text(event, "reportingComponent"),
                f"{place}: {message}" if place else message,
            ]
            self.line("\t".join(cells), 1)

    def text(self) -> str:
        return self._out.text()


def _shortened(part: str) -> str:
    # Cut by bytes, as Go does; what is cut in the middle becomes a replacement character on the way out.
    data = part.encode()
    most = _LONGEST - 2
    return data[:most].decode(errors="replace") + "..." if len(data) > most else part


def _last_seen(event: Object) -> float:
    stamp = text(event, "lastTimestamp")
    return moment(stamp).timestamp() if stamp else float("-inf")


def _interval(event: Object, now: datetime) -> str:
    first = age(text(event, "eventTime") or text(event, "firstTimestamp"), now)
    series = at(event, "series")
    if series is not None:
        last = age(text(series, "lastObservedTime"), now)
        return f"{last} (x{number(series, 'count')} over {first})"
    count = number(event, "count")
    if count > 1:
        return f"{age(text(event, 'lastTimestamp'), now)} (x{count} over {first})"
    return first
