import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.filter import Once
from banwatch.model import Match


def line(at, hint=False, session="s", ip="192.0.2.7", attempts=1, kind="auth", number=0, login=None):
    return Match(0, "x", kind, at, ip, login, attempts, number, hint, session, "", 0, {})


def counted(lines, once=None):
    once = once or Once()
    return [admitted.attempts if (admitted := once.admit(match)) else 0 for match in lines]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line(0), line(1)], [1, 1]),
        ([line(0, hint=True), line(1), line(2)], [1, 0, 1]),
        ([line(0, hint=True), line(1, hint=True, number=1)], [1, 0]),
        ([line(0), line(1, hint=True)], [1, 0]),
        ([line(0, hint=True), line(1, attempts=3)], [1, 2]),
        ([line(0, hint=True), line(1, session="t", hint=True)], [1, 1]),
        ([line(0, hint=True), line(1, ip="192.0.2.8")], [1, 1]),
        ([line(0, hint=True), line(601)], [1, 1]),
        ([line(0, hint=True), line(600)], [1, 0]),
    ],
)
def test_in_a_session(lines, expected):
    """A hint counts while nothing was counted, and the full line that follows brings the rest."""
    assert counted(lines) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line(0, hint=True, session=None), line(1, hint=True, session=None)], [1, 1]),
        ([line(0, hint=True, session=None), line(1)], [1, 0]),
        ([line(0), line(1, hint=True, session=None)], [1, 0]),
        ([line(0, hint=True, session=None), line(1), line(2), line(3, hint=True, session=None)], [1, 0, 1, 0]),
        ([line(0, hint=True, session=None), line(1, hint=True, session=None, number=1)], [1, 0]),
    ],
)
def test_hints_without_a_session(lines, expected):
    """Such a hint counts as far as it tells of more attempts than the sessions of that address."""
    assert counted(lines) == expected


def test_success_passes_and_ends_the_session():
    """Behind a success everything counts anew."""
    once = Once()
    assert counted([line(0, hint=True)], once) == [1]
    success = line(1, kind="success")
    assert once.admit(success) is success
    assert counted([line(2)], once) == [1]


def test_logins_without_an_address():
    """Where there is no address the login tells who it was."""
    assert counted([line(0, hint=True, ip=None, login="a"), line(1, ip=None, login="b"), line(2, ip=None, login="a")]) == [
        1,
        1,
        0,
    ]


def test_room():
    """Whoever was heard of first goes first, and it is counted."""
    once = Once(room=8)
    counted([line(0, hint=True, ip=f"192.0.2.{n}") for n in range(20)], once)
    assert once.evicted > 0
    assert counted([line(1, ip="192.0.2.19"), line(1, ip="192.0.2.0")], once) == [0, 1]


@given(st.lists(st.tuples(st.sampled_from("st"), st.integers(1, 3))))
def test_full_lines_alone_always_count(said):
    """Without hints nothing is ever held back."""
    assert counted([line(n, session=session, attempts=attempts) for n, (session, attempts) in enumerate(said)]) == [
        n for _, n in said
    ]
