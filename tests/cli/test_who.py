"""[JAIL] WHO… as it is typed and piped."""

from io import BytesIO

import pytest

from banwatch.cli.who import collect_who, split_jail
from banwatch.errors import ControlError


def refusal(words: list[str], stdin: bytes = b"") -> tuple[str, int]:
    with pytest.raises(ControlError) as caught:
        collect_who(words, BytesIO(stdin))
    return caught.value.message, caught.value.code


@pytest.mark.parametrize(
    ("words", "jail", "who"),
    [
        (["192.0.2.7"], None, ["192.0.2.7"]),
        (["192.0.2.0/24", "2001:db8::1"], None, ["192.0.2.0/24", "2001:db8::1"]),
        (["sshd", "192.0.2.7"], "sshd", ["192.0.2.7"]),
        (["sshd", "-"], "sshd", ["-"]),
        (["sshd"], "sshd", []),
        (["-"], None, ["-"]),
        (["login:bob"], None, ["login:bob"]),
        (["my-jail_2.x", "login:bob"], "my-jail_2.x", ["login:bob"]),
        (["999.1.1.1", "192.0.2.7"], None, ["999.1.1.1", "192.0.2.7"]),
        (["192.0.2.1/24"], None, ["192.0.2.1/24"]),
        (["cafe::xyz"], None, ["cafe::xyz"]),
        ([], None, []),
    ],
)
def test_the_first_word_is_the_jail_unless_it_is_meant_as_who(words: list[str], jail: str | None, who: list[str]) -> None:
    """A mistyped address is reported as such, not as an unknown jail."""
    assert split_jail(words) == (jail, who)


def test_words_are_taken_as_they_are() -> None:
    """The daemon makes them canonical."""
    assert collect_who(["192.0.2.7", "192.0.2.0/24", "login:bob"], BytesIO()) == ["192.0.2.7", "192.0.2.0/24", "login:bob"]


def test_a_dash_reads_standard_input() -> None:
    """One a line; blank lines, comments and CRLF are nothing, and a # inside a name is part of it."""
    stdin = b"# bad ones\n\n192.0.2.7\r\n  192.0.2.8   # scanner\n\t#x\nlogin:a#b\nlogin:\xff"
    assert collect_who(["192.0.2.1", "-"], BytesIO(stdin)) == [
        "192.0.2.1",
        "192.0.2.7",
        "192.0.2.8",
        "login:a#b",
        "login:\\xff",
    ]


def test_everything_wrong_is_told_at_once() -> None:
    """With its line, if it came from standard input."""
    message, code = refusal(["x", "-"], b"192.0.2.7\n192.0.2.1/24\nlogin:\n")
    assert code == 2
    assert message == (
        "expected an address, a network or login:NAME, got 'x' ('x' does not appear to be an IPv4 or IPv6 network); "
        "line 2: expected an address, a network or login:NAME, got '192.0.2.1/24' (192.0.2.1/24 has host bits set); "
        "line 3: expected a name after login:"
    )


def test_a_long_list_of_wrong_ones_is_cut() -> None:
    """Ten are enough to see what is wrong."""
    message, _ = refusal(["-"], b"login:\n" * 25)
    assert message.endswith("line 10: expected a name after login:; and 15 more")


def test_nobody_is_refused() -> None:
    """No word is a usage error; an empty list on standard input is nothing found."""
    assert refusal([]) == ("nobody is named", 2)
    assert refusal(["-"], b"# none today\n") == ("standard input names nobody", 1)
