"""jail/success.py: what a good login takes out."""

import pytest

from banwatch.jail.success import forgive_address, forgive_login, forgive_network, own_network
from banwatch.jail.window import Window

A, NEIGHBOUR, STRANGER = "203.0.113.7", "203.0.113.8", "198.51.100.1"


def others(made, key="key"):
    """The other sides that are left in the window of `key`."""
    return [other for _, other in made.attempts(key)]


def window(*attempts, key="key"):
    """A window with findtime 100 in which `key` has these attempts, a second apart from 0 on."""
    made = Window(100.0, 1000, 10)
    for at, other in enumerate(attempts):
        made.add(key, float(at), other)
    return made


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["bob", "bob"], []),
        (["bob", None], []),  # it failed on no other login
        ([None], []),
        (["bob", "eve", None, "bob"], ["eve", None]),
        (["eve"], ["eve"]),
    ],
)
def test_an_address_loses_its_failures_on_that_login(before, after):
    """The failures on the login go; all failures go if there is none on another login."""
    made = window(*before)
    forgive_address(made, "key", "bob", 10.0, logins_only=False)
    assert others(made) == after


def test_only_logins_within_findtime_are_held_against_an_address():
    """A failure on another login that is older than findtime at the good login counts no more, here neither."""
    for at, left in ((100.0, ["eve", None]), (100.000001, [])):
        made = window("eve", None, "bob")
        forgive_address(made, "key", "bob", at, logins_only=False)
        assert others(made) == left


def test_a_valid_account_is_no_excuse_for_other_kinds():
    """Where a rule counts no failed logins, only what names the login goes: rejected recipients and scans stay."""
    made = window(None, "bob", None)
    forgive_address(made, "key", "bob", 10.0, logins_only=True)
    assert others(made) == [None, None]
    made = window((A, None), (A, "bob"))
    forgive_network(made, "key", A, "bob", 10.0, logins_only=True)
    assert others(made) == [(A, None)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([(A, "bob"), (STRANGER, "bob")], [(STRANGER, "bob")]),
        ([(A, "bob"), (A, None), (STRANGER, "eve")], [(STRANGER, "eve")]),
        ([(A, "bob"), (A, "eve"), (A, None)], [(A, "eve"), (A, None)]),
        ([(NEIGHBOUR, "bob"), (None, "bob")], [(NEIGHBOUR, "bob"), (None, "bob")]),
    ],
)
def test_a_network_loses_the_failures_of_that_address_only(before, after):
    """In the window of a network the same is done for the address that got in, and nobody else's failures go."""
    made = window(*before)
    forgive_network(made, "key", A, "bob", 10.0, logins_only=False)
    assert others(made) == after


def test_a_login_loses_the_failures_from_the_own_network_only():
    """A polling phone takes its neighbourhood out of its login's window, and leaves the attack from elsewhere."""
    made = window(A, NEIGHBOUR, STRANGER, None, "2001:db8:1:2::/64", key="bob")
    forgive_login(made, "bob", A, 10.0)
    assert others(made, "bob") == [STRANGER, None, "2001:db8:1:2::/64"]
    forgive_login(made, "bob", "2001:db8:1:2::/64", 10.0)
    assert others(made, "bob") == [STRANGER, None]


def test_what_comes_after_it_is_not_forgiven():
    """A good login whose line is read late takes out what was before it, give or take the second that some logs count in."""
    before = ["bob", "bob", "bob", "bob"]
    made = window(*before)
    forgive_address(made, "key", "bob", 1.0, logins_only=False)
    assert made.attempts("key") == [(3.0, "bob")]
    made = window(*((A, login) for login in before))
    forgive_network(made, "key", A, "bob", 1.0, logins_only=False)
    assert made.attempts("key") == [(3.0, (A, "bob"))]
    made = window(A, A, A, NEIGHBOUR, key="bob")
    forgive_login(made, "bob", A, 1.0)
    assert made.attempts("bob") == [(3.0, NEIGHBOUR)]


def test_own_network():
    """The own network is the /24, and in IPv6 the unit."""
    assert own_network(A) == own_network(NEIGHBOUR) != own_network(STRANGER)
    assert own_network("fd00::1") != own_network("fd00::2")
