"""How long ago something was, in kubectl's words."""

from datetime import timedelta

import pytest

from rulegen.kubectl.age import age, human, moment

NOW = moment("2026-11-23T12:00:00Z")


@pytest.mark.parametrize(
    ("duration", "shown"),
    [
        (timedelta(0), "0s"),
        (timedelta(seconds=119), "119s"),
        (timedelta(seconds=120), "2m"),
        (timedelta(minutes=5, seconds=3), "5m3s"),
        (timedelta(minutes=10, seconds=59), "10m"),
        (timedelta(minutes=179), "179m"),
        (timedelta(hours=3), "3h"),
        (timedelta(hours=7, minutes=59), "7h59m"),
        (timedelta(hours=8, minutes=59), "8h"),
        (timedelta(hours=47), "47h"),
        (timedelta(days=2), "2d"),
        (timedelta(days=7, hours=23), "7d23h"),
        (timedelta(days=8), "8d"),
        (timedelta(days=729), "729d"),
        (timedelta(days=730), "2y"),
        (timedelta(days=8 * 365 - 1), "7y364d"),
        (timedelta(days=8 * 365), "8y"),
    ],
)
def test_two_units_are_enough(duration: timedelta, shown: str) -> None:
    assert human(duration) == shown


@pytest.mark.parametrize(
    ("stamp", "shown"),
    [
        ("2026-11-23T12:00:01Z", "0s"),
        ("2026-11-23T12:00:01.999999Z", "0s"),
        ("2026-11-23T12:00:02Z", "<invalid>"),
    ],
)
def test_clocks_may_differ_by_less_than_two_seconds(stamp: str, shown: str) -> None:
    assert age(stamp, NOW) == shown


@pytest.mark.parametrize("stamp", [None, "", "0001-01-01T00:00:00Z"])
def test_what_never_was_is_unknown(stamp: str | None) -> None:
    assert age(stamp, NOW) == "<unknown>"


def test_time_zones_and_fractions_count() -> None:
    assert age("2026-11-23T13:00:00+02:00", NOW) == "60m"
    assert age("2026-11-23T11:58:30.5Z", NOW) == "89s"


def test_a_date_alone_is_no_moment() -> None:
    with pytest.raises(ValueError, match="no RFC 3339 time"):
        moment("2026-11-23")
