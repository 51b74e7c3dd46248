"""who.py: whom a command means, and whom it may not mean."""

import pytest

from banwatch.errors import ControlError
from banwatch.login import Naming
from banwatch.model import Target
from banwatch.who import as_named, everything, first_of, parse_targets, refuse, slices, too_wide


async def test_slices():
    """Together they are all, in order."""
    items = list(range(2000))
    pieces = [piece async for piece in slices(items)]
    assert [item for piece in pieces for item in piece] == items
    assert len(pieces) == 4


async def test_parse_targets():
    """Each once, whatever it was written like."""
    targets = await parse_targets(["192.0.2.7", "192.0.2.7/32", "login:bob", "::ffff:192.0.2.7"])
    assert targets == [Target("net", "192.0.2.7"), Target("login", "bob")]


async def test_parse_targets_names_all_that_is_wrong():
    """At once."""
    with pytest.raises(ControlError, match=r"expected an address.*'a'.*; expected an address.*'b'") as caught:
        await parse_targets(["a", "192.0.2.7", "b"])
    assert caught.value.hint == "nothing was changed"


async def test_refuse():
    """Silent where nothing is to be said."""
    targets = [Target("net", f"192.0.2.{number}") for number in range(30)]
    await refuse(targets, lambda target: None, "")
    with pytest.raises(ControlError, match=r"192\.0\.2\.0: no; .*; and 10 more") as caught:
        await refuse(targets, lambda target: "no", "think again")
    assert caught.value.hint == "nothing was changed; think again"


@pytest.mark.parametrize(
    ("target", "wide", "all_of_it"),
    [
        (Target("net", "192.0.2.7"), None, None),
        (Target("net", "10.0.0.0/8"), None, None),
        (Target("net", "10.0.0.0/7"), "wider than /8", None),
        (Target("net", "2001:db8::/32"), None, None),
        (Target("net", "2000::/3"), "wider than /32", None),
        (Target("net", "0.0.0.0/0"), "wider than /8", "everybody"),
        (Target("login", "10.0.0.0/7"), None, None),
    ],
)
def test_how_wide_a_ban_may_be(target, wide, all_of_it):
    """A typing mistake must not lock out the world; a login is never wide."""
    assert (too_wide(target), everything(target)) == (wide, all_of_it)


def test_first_of():
    """An error stays readable."""
    assert first_of(["a", "b"]) == "a; b"
    assert first_of(["x"] * 25).endswith("x; and 5 more")


def test_as_named():
    """A login is written as the jails do, one that names nobody stays as it is, and so does an address."""
    naming = Naming("example.org")
    assert as_named(Target("login", "Bob"), naming) == Target("login", "bob@example.org")
    assert as_named(Target("login", "@"), naming) == Target("login", "@")
    assert as_named(Target("net", "192.0.2.7"), naming) == Target("net", "192.0.2.7")
