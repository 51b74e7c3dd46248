"""reconcile/diff.py: what has to be mended in a set."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.firewall.wire import LONGEST
from banwatch.model import Ban, Target
from banwatch.reconcile.diff import ENDING, RENEWED_BELOW, SLACK, Difference, Found, compare, strangers

NOW = 1_000_000.0
DAY = 86400.0


def ban(who="192.0.2.7", seconds=600.0, **changes):
    return Ban("sshd", Target("net", who), "ip", NOW, None if seconds is None else NOW + seconds, **changes)


def found(left, marked=True, *, began=NOW, **kwargs):
    return Found(left, began, NOW, marked, **kwargs)


def everything(_):
    return True


def nothing(_):
    return False


@pytest.mark.parametrize(
    ("wanted", "there", "acknowledged", "expected"),
    [
        pytest.param(ban(), found({"192.0.2.7": 600.0}), everything, Difference(), id="all is well"),
        pytest.param(ban(), found({}), everything, Difference(removed=(ban(),)), id="taken out by hand"),
        pytest.param(ban(), found({}, marked=False), everything, Difference(lost=(ban(),)), id="flushed"),
        pytest.param(ban(), found({}), nothing, Difference(lost=(ban(),)), id="never was in the kernel"),
        pytest.param(ban(seconds=1.9), found({}, marked=False), everything, Difference(), id="flushed, but over at once"),
        pytest.param(ban(seconds=1.9), found({}), everything, Difference(), id="ended a moment early"),
        pytest.param(ban(seconds=-5), found({"192.0.2.7": 90.0}), everything, Difference(), id="over: its end is under way"),
        pytest.param(ban(seconds=None), found({}, marked=False), everything, Difference(lost=(ban(seconds=None),)), id="ever"),
        pytest.param(
            ban(origin="adopted"), found({}, marked=False), everything, Difference(lost=(ban(origin="adopted"),)), id="adopted"
        ),
        pytest.param(
            ban(origin="adopted"),
            found({}, marked=False, foreign=True),
            everything,
            Difference(removed=(ban(origin="adopted"),)),
            id="the owner of the set took out what he had put in",
        ),
        pytest.param(
            ban(), found({}, marked=False, foreign=True), everything, Difference(lost=(ban(),)), id="swapped by its owner"
        ),
        pytest.param(ban(), found({}, foreign=True), everything, Difference(removed=(ban(),)), id="by hand from a foreign set"),
        pytest.param(
            ban(), found({}, foreign=True, shared=True), everything, Difference(lost=(ban(),)), id="the other jail's unban"
        ),
        pytest.param(ban(), found({"192.0.2.7": None}), everything, Difference(ends=(ban(),)), id="for ever, but should end"),
        pytest.param(
            ban(seconds=None),
            found({"192.0.2.7": 9.0}),
            everything,
            Difference(ends=(ban(seconds=None),)),
            id="ends, but should not",
        ),
        pytest.param(ban(), found({"192.0.2.7": 600 + SLACK}), everything, Difference(), id="a little late"),
        pytest.param(ban(), found({"192.0.2.7": 600 - SLACK}), everything, Difference(), id="a little early"),
        pytest.param(ban(), found({"192.0.2.7": 601 + SLACK}), everything, Difference(ends=(ban(),)), id="too late"),
        pytest.param(ban(), found({"192.0.2.7": 599 - SLACK}), everything, Difference(ends=(ban(),)), id="too early"),
        pytest.param(ban(), found({"192.0.2.7": 609.0}, began=NOW - 9.0), everything, Difference(), id="listed a while ago"),
        pytest.param(ban(), found({"192.0.2.7": 600.0}, began=NOW - 9.0), everything, Difference(), id="or listed just now"),
        pytest.param(ban(seconds=60 * DAY), found({"192.0.2.7": LONGEST - DAY}), everything, Difference(), id="cut, and renewed"),
        pytest.param(
            ban(seconds=60 * DAY),
            found({"192.0.2.7": RENEWED_BELOW - SLACK - 1}),
            everything,
            Difference(ends=(ban(seconds=60 * DAY),)),
            id="cut, and not renewed for days",
        ),
    ],
)
def test_one_ban(wanted, there, acknowledged, expected):
    """What one ban comes to, by what the kernel has of it."""
    assert compare([wanted], there, NOW, acknowledged) == expected


def test_strangers():
    """Whom somebody else has put in, but for what ends at once."""
    there = found({"192.0.2.7": 60.0, "192.0.2.8": None, "192.0.2.9": ENDING, "192.0.2.10": 1.0})
    assert strangers(there, {"192.0.2.7"}) == {"192.0.2.8": None, "192.0.2.9": ENDING}


whos = st.sampled_from([f"192.0.2.{number}" for number in range(8)])
lengths = st.none() | st.floats(-5.0, 3 * LONGEST)
lefts = st.none() | st.integers(1, LONGEST).map(float)


@given(st.dictionaries(whos, lengths), st.dictionaries(whos, lefts), st.booleans(), st.booleans(), st.booleans(), st.sets(whos))
def test_mended_is_mended(book, kernel, marked, foreign, shared, known):
    """Once all that is told is done there is nothing more to be told: one repair is enough, and none undoes another."""
    bans = {who: ban(who, seconds) for who, seconds in book.items()}
    there = found(kernel, marked, foreign=foreign, shared=shared)
    difference = compare(bans.values(), there, NOW, lambda ban: ban.target.who in known)
    for gone in difference.removed:
        del bans[gone.target.who]
    kernel = dict(kernel)
    for back in (*difference.lost, *difference.ends):
        seconds = book[back.target.who]
        kernel[back.target.who] = None if seconds is None else min(max(seconds, 1.0), LONGEST)
    bans.update({who: ban(who, left, origin="adopted") for who, left in strangers(there, bans).items()})
    again = found(kernel, foreign=foreign, shared=shared)
    assert compare(bans.values(), again, NOW, everything) == Difference()
    assert strangers(again, bans) == {}
    for who, seconds in book.items():
        if seconds is None or seconds >= ENDING:
            assert (who in kernel) != (who in {gone.target.who for gone in difference.removed})
