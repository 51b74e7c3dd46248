"""logins/barred.py: what our own files have failed is no failure."""

import pytest

from banwatch.config.model import FilesSpec
from banwatch.logins.barred import FORGET, Barred
from banwatch.logins.listing import list_refused

STRANGER, HOME = "198.51.100.1", "203.0.113.9"


@pytest.fixture
def barred(house):
    """alice and bob are banned; bob has a network of his own."""
    house.ban("alice@example.org")
    house.ban("bob@example.org")
    barred = Barred(FilesSpec(pam=True, exim=True), lambda: house.now)
    barred.written(list_refused(house.engine, house.now), house.now)
    return barred


@pytest.mark.parametrize(
    ("filter", "login", "ip", "left"),
    [
        ("sshd", "alice", STRANGER, 0),
        ("sshd", "Alice", STRANGER, 0),
        ("sshd", "bob", STRANGER, 0),
        ("sshd", "bob", HOME, 2),
        ("sshd", "carol", STRANGER, 2),
        ("sshd", None, STRANGER, 2),
        ("exim4", "alice@example.org", STRANGER, 0),
        ("exim4", "bob", STRANGER, 2),
    ],
)
def test_who_is_refused_by_a_file(house, barred, filter, login, ip, left):
    """PAM's file spares own networks, so failures from there are real; Exim's does not name who has some."""
    assert barred.left(filter, "auth", house.now, ip, login, 2) == left
    assert barred.left(filter, "auth", None, ip, login, 2) == left
    assert barred.left(filter, "loiter", house.now, ip, login, 2) == 2


def test_a_line_that_is_read_late(house, barred):
    """What was refused before the ban ended is no failure; what comes after it is, and what came before it was."""
    began = house.now
    house.now += 3600
    house.engine.expire(house.now)
    barred.written(list_refused(house.engine, house.now), house.now)
    for at, left in ((began - 2, 1), (began, 0), (began + 3600, 0), (began + 3602, 1), (None, 0)):
        assert barred.left("sshd", "auth", at, STRANGER, "alice", 1) == left
        assert barred.left("exim4", "auth", at, STRANGER, "alice", 1) == left
    house.now += FORGET + 1
    barred.written([], house.now)
    assert barred.left("sshd", "auth", began, STRANGER, "alice", 1) == 1


def test_a_ban_that_becomes_strict(house, barred):
    """From then on failures at home are no failures, and before it they were."""
    house.now += 100
    house.ban("bob@example.org", until=None, forced=True)
    barred.written(list_refused(house.engine, house.now), house.now)
    assert [barred.left("sshd", "auth", house.now - before, HOME, "bob", 1) for before in (50, 0)] == [1, 0]
    assert [barred.left("sshd", "auth", house.now - before, STRANGER, "bob", 1) for before in (50, 0)] == [0, 0]


def test_only_what_is_written(house):
    """Where no file is asked for, none has failed anybody."""
    assert set(Barred(FilesSpec(dovecot=True), lambda: house.now).filters) == set()
    assert set(Barred(FilesSpec(exim=True), lambda: house.now).filters) == {"exim4"}
