"""text.py: a stranger's text stays on its line."""

from hypothesis import given
from hypothesis import strategies as st

from banwatch.text import escape


@given(st.text(st.characters(codec="utf-8")))
def test_what_is_shown_is_printable(text):
    """No control character, line end or direction mark gets through; what was printable is as it was."""
    shown = escape(text)
    assert shown.isprintable()
    assert shown == text or not text.isprintable()


def test_a_line_end_is_seen():
    """The reader sees what was there."""
    assert escape("a\nb\x1b[31m") == "a\\nb\\x1b[31m"
