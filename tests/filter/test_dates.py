import math
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.filter.dates import KNOWN, SYSLOG, DateReader, parse_format

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
AT = datetime(2026, 11, 20, 10, 0, 5, tzinfo=UTC).timestamp()


def read(text, zone=UTC, formats=KNOWN, now=NOW):
    reader = DateReader(formats, zone)
    reader.begin(now)
    return reader.read(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nov 20 10:00:05", AT),
        ("2026-11-20T10:00:05Z", AT),
        ("2026-11-20T10:00:05.250000+00:00", AT + 0.25),
        ("2026-11-20T11:00:05+01:00", AT),
        ("2026-11-20 10:00:05", AT),
        ("2026-11-20 10:00:05,250", AT + 0.25),
        ("2026-11-20 05:00:05 -0500", AT),
        ("2026/11/20 10:00:05", AT),
        ("20/Nov/2026:11:00:05 +0100", AT),
        ("1795168805.5", AT + 0.5),
        ("2026-11-20 10:00:05.250 UTC", AT + 0.25),
        ("2026-11-20 10:00:05.250 CET", AT + 0.25),
        ("2026-11-20 07:00:05 -03", AT),
        ("2026-11-20 15:30:05 +05:30", AT),
        ("2026-11-20  9:00:05", AT - 3600),
        ("261120  9:00:05", AT - 3600),
        ("Fri Nov 20 10:00:05 2026", AT),
        ("Fri Nov 20 10:00:05.250000 2026", AT + 0.25),
    ],
)
def test_known_formats(text, expected):
    """The dates that logs print are known without being described."""
    assert read(text) == expected


@pytest.mark.parametrize(
    "text", ["Feb 31 10:00:00", "2026-02-31 10:00:00", "2026-11-20 24:00:00", "2026-11-20 10:00:61", "Xyz 20 10:00:00"]
)
def test_impossible_dates(text):
    """A date that does not exist is no date."""
    assert read(text) is None


def test_a_word_is_no_zone():
    """What a log goes on with is no zone, even if it is in capitals."""
    assert read("2026-11-20 10:00:05 SMTP") is None


def test_a_leap_second_belongs_to_the_next_minute():
    """Second 60 is the first of the minute after it."""
    assert read("2016-12-31T23:59:60Z") == datetime(2017, 1, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "now", "year"),
    [
        ("Nov 22 11:00:00", datetime(2026, 11, 21, 12, tzinfo=UTC), 2026),
        ("Nov 22 13:00:00", datetime(2026, 11, 21, 12, tzinfo=UTC), 2025),
        ("Dec 31 23:59:00", datetime(2027, 1, 1, 1, tzinfo=UTC), 2026),
        ("Jan  1 00:00:00", datetime(2026, 12, 31, 23, 59, tzinfo=UTC), 2027),
        ("Feb 29 10:00:00", datetime(2026, 3, 1, tzinfo=UTC), 2024),
    ],
)
def test_the_missing_year(text, now, year):
    """It is the latest one that puts the date at most a day into the future."""
    at = read(text, now=now.timestamp())
    assert datetime.fromtimestamp(at, UTC).year == year


def test_the_hour_that_comes_twice():
    """A live line belongs to the hour that is now; of an old one the first is taken."""
    berlin = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()
    assert read("2026-10-25 02:30:00", berlin, now=first) == first
    assert read("2026-10-25 02:30:00", berlin, now=first + 3600) == first + 3600
    assert read("2026-10-25 02:30:00", berlin, now=NOW) == first


def test_a_zone_in_the_text_wins():
    """The zone of the log counts for dates that name none."""
    assert read("2026-11-20 10:00:05 +0000", ZoneInfo("Asia/Tokyo")) == AT
    assert read("2026-11-20 19:00:05", ZoneInfo("Asia/Tokyo")) == AT


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("%d.%m.%Y %H:%M:%S", "20.11.2026 10:00:05"),
        ("[%a %b %d %T %Y]", "[Fri Nov 20 10:00:05 2026]"),
        ("%y%m%d %l:%M:%S %p", "261120 10:00:05 AM"),
        ("%s", "1795168805"),
        ("%F %R:%S %z", "2026-11-20 11:00:05 +0100"),
    ],
)
def test_formats_of_ones_own(written, text):
    """strptime's directives describe what is not known."""
    assert read(text, formats=parse_format(written)) == AT


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("%d %q", "got %q"),
        ("%d %d", "expected each part of a date once, got %d again"),
        ("%H:%M", "expected at least month, day and hour, or %s"),
    ],
)
def test_formats_that_are_none(written, message):
    """What is wrong with a format is said."""
    with pytest.raises(ValueError, match="expected") as caught:
        parse_format(written)
    assert str(caught.value).endswith(message)


zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
instants = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=zones)  # noqa: DTZ001 - bounds have to be naive


@given(instants)
def test_round_trip(when):
    """What isoformat writes is read as the same instant."""
    assert math.isclose(read(when.isoformat(timespec="microseconds")), when.timestamp(), abs_tol=1e-6)


@given(st.lists(instants.map(lambda when: when.isoformat(timespec="milliseconds")) | st.text("0123456789-:T.+ Z", max_size=30)))
def test_what_was_read_before_changes_nothing(texts):
    """The minute that is remembered is a shortcut only."""
    reader = DateReader(SYSLOG, UTC)
    reader.begin(NOW)
    assert [reader.read(text) for text in texts] == [read(text, formats=SYSLOG) for text in texts]
