"""logins/listing.py: who is refused, in the words of the services."""

import json

import pytest

from banwatch.logins.listing import (
    HEAD,
    PER_LINE,
    Refused,
    dump_refused,
    list_refused,
    load_refused,
    next_change,
    render_names,
    render_pam,
)

ALICE = Refused(("alice@example.org", "alice"), 0.0, 100.0)
BOB = Refused(("bob",), 10.0, None, ("203.0.113.0/24", "2001:db8:1:2::/64"))


def test_from_the_book(house):
    """Each enforced ban of a login, with its spellings and own networks; strict ones, and compromised accounts, have none."""
    house.ban("alice@example.org")
    house.ban("bob@example.org", until=None)
    house.ban("carol@example.com", enforce=False)
    assert list_refused(house.engine, house.now) == [
        Refused(("alice@example.org", "alice"), house.now, house.now + 3600),
        Refused(("bob@example.org", "bob"), house.now, None, ("203.0.113.0/24",)),
    ]
    house.ban("bob@example.org", until=None, jail="mail", rule="login", forced=True)
    assert [each.homes for each in list_refused(house.engine, house.now)] == [(), ("203.0.113.0/24",), ("203.0.113.0/24",)]
    for number in range(9):
        house.engine.jails["mail"].alarms.note("bob@example.org", f"192.0.{number}.1", house.now)
    assert [each.homes for each in list_refused(house.engine, house.now)] == [(), (), ()]


def test_by_force(house):
    """A ban by hand that was forced is for the own networks, too."""
    house.ban("bob@example.org", forced=True)
    assert [each.homes for each in list_refused(house.engine, house.now)] == [()]


def test_pam():
    """The own networks are let in first, everybody else from outside is refused; a name with a realm is no account."""
    assert render_pam([BOB, ALICE], 50.0) == (
        f"{HEAD}-:alice:ALL EXCEPT LOCAL\n+:bob:203.0.113.0/24 2001:db8:1:2::/64\n-:bob:ALL EXCEPT LOCAL\n"
    )


def test_names():
    """A name a line; who has networks of his own is not in it."""
    assert render_names([BOB, ALICE], 50.0) == f"{HEAD}alice\nalice@example.org\n"


@pytest.mark.parametrize(("now", "names"), [(-1.0, []), (0.0, ["alice"]), (10.0, ["alice", "bob"]), (100.0, ["bob"])])
def test_time(now, names):
    """From the time at which it refuses to the end of the ban."""
    assert [line.split(":")[1] for line in render_pam([ALICE, BOB], now).splitlines() if line.startswith("-")] == names


def test_next_change():
    """The next beginning or end that is still to come."""
    assert [next_change([ALICE, BOB], now) for now in (-1.0, 0.0, 10.0, 100.0)] == [0.0, 10.0, 100.0, None]


@pytest.mark.parametrize(
    "name",
    ["alice:x", "alice x", "#alice", "alice\n-", "@group", "(wheel)", "all", "none", "local", "except", "", "é", "-x", "a" * 255],
)
def test_a_name_means_nothing_but_itself(name):
    """What could be read as something else, or as somebody else, is left out."""
    assert render_pam([Refused((name,), 0.0, None)], 1.0) == HEAD
    assert render_names([Refused((name,), 0.0, None)], 1.0) == HEAD


def test_two_bans_on_one_login():
    """Only from where both let it in."""
    other = BOB._replace(homes=("2001:db8:1:2::/64", "192.0.2.0/24"))
    assert "+:bob:2001:db8:1:2::/64\n" in render_pam([BOB, other], 20.0)
    assert render_pam([BOB, BOB._replace(homes=())], 20.0) == f"{HEAD}-:bob:ALL EXCEPT LOCAL\n"


def test_many_networks():
    """They go into lines that pam_access can read."""
    many = BOB._replace(homes=tuple(f"203.0.{number}.0/24" for number in range(PER_LINE + 1)))
    lines = render_pam([many], 20.0).splitlines()[1:]
    assert [line[0] for line in lines] == ["+", "+", "-"]
    assert lines[1] == f"+:bob:203.0.{PER_LINE}.0/24"


def test_dump():
    """What is dumped comes back."""
    assert load_refused(json.loads(json.dumps(dump_refused([ALICE, BOB])))) == [ALICE, BOB]
