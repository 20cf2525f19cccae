"""Points in time and how long ago they are, in kubectl's words.

``now`` is always given. Durations follow ``k8s.io/apimachinery/pkg/util/duration`` (HumanDuration, 1.37):
two or three significant figures, and no more than two seconds of clock difference are excused.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_STAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_ZERO = datetime(1, 1, 1, tzinfo=UTC)


def moment(stamp: str) -> datetime:
    """The moment that an RFC 3339 text means, in UTC and microseconds; ValueError where it is none."""
    found = _STAMP.fullmatch(stamp)
    if found is None:
        raise ValueError(f"{stamp!r} is no RFC 3339 time")
    year, month, day, hour, minute, second, fraction, sign, zone_hour, zone_minute = found.groups()
    microsecond = int(((fraction or "") + "000000")[:6])
    then = datetime(
        int(year), int(month), int(day), int(hour), int(minute), int(second), microsecond, tzinfo=UTC
    )
    if sign is None:
        return then
    offset = timedelta(hours=int(zone_hour), minutes=int(zone_minute))
    return then - offset if sign == "+" else then + offset


def age(stamp: str | None, now: datetime) -> str:
    """How long ago ``stamp`` (RFC 3339, as stored) was; ``<unknown>`` for none or the zero time."""
    if not stamp:
        return "<unknown>"
    then = moment(stamp)
    return "<unknown>" if then == _ZERO else human(now - then)


def human(duration: timedelta) -> str:
    """The duration as kubectl prints it: ``42s``, ``5m3s``, ``3h``, ``2d4h``, ``300d``, ``3y12d``."""
    # Whole seconds, cut off towards zero as Go does.
    seconds = int(duration / timedelta(seconds=1))
    if seconds < -1:
        return "<invalid>"
    if seconds < 0:
        return "0s"
    if seconds < 120:
        return f"{seconds}s"
    minutes = seconds // 60
    if minutes < 10:
        return _two(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    hours = minutes // 60
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if hours < 24 * 8:
        return _two(days, "d", hours % 24, "h")
    if hours < 24 * 365 * 2:
        return f"{days}d"
    if hours < 24 * 365 * 8:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(count: int, unit: str, rest: int, small: str) -> str:
    return f"{count}{unit}{rest}{small}" if rest else f"{count}{unit}"
