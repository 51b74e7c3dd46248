"""Text from strangers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.text import escape


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("jürgen@例え", "jürgen@例え"),
        ("x\n2025-11-04 WARNING [sshd] Ban 192.0.2.7", "x\\n2025-11-04 WARNING [sshd] Ban 192.0.2.7"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\u202eb", "a\\u202eb"),
        ("\x9b31m", "\\x9b31m"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_moves_a_cursor_is_escaped(text: str, shown: str) -> None:
    """Line ends, escape sequences and bidirectional overrides are shown as what they are; letters of all scripts stay."""
    assert escape(text) == shown


@given(st.text())
def test_the_result_is_one_printable_line(text: str) -> None:
    """Whatever goes in."""
    assert escape(text).isprintable()
