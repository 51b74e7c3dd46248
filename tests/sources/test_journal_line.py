"""Entries as lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.config.model import FilterSpec
from banwatch.filter.match import compile_filter
from banwatch.filter.scan import Lens, Scanner
from banwatch.sources.journal_line import LONGEST, LineMaker

AT = 1795768547_899911
HEAD = b"2026-11-27T08:35:47.899911Z - "


@pytest.mark.parametrize(
    ("program", "pid", "message", "line"),
    [
        (b"sshd", b"812", b"text", b"sshd[812]: text"),
        (b"postfix/smtpd", None, b"text", b"postfix/smtpd: text"),
        (None, b"1", b"text", b"-[1]: text"),
        (b"a b[1]: c\n", b"7", b"text", b"a_b_1_c_[7]: text"),
        (b"x" * 100, b"7]: forged", b"text", b"x" * 64 + b": text"),
        (b"sshd", b"1", b"a\nb\r\0\tc\x7f\n\n", b"sshd[1]: a#012b#015#000#011c#177"),
        (b"sshd", b"1", "ä\n".encode(), b"sshd[1]: \xc3\xa4"),
        (b"sshd", b"1", b"\xff\nx", b"sshd[1]: \xff#012x"),
        (b"sshd", b"1", b"", b"sshd[1]: "),
    ],
)
def test_a_line(program, pid, message, line):
    """As rsyslog writes it to a file."""
    assert LineMaker().line(AT, program, pid, message) == HEAD + line + b"\n"


@given(st.binary(), st.none() | st.binary(), st.none() | st.binary(), st.integers(0, 2**64))
def test_it_is_one_line(message, program, pid, microseconds):
    """Whatever is in an entry, there is one line end, and it is the last byte."""
    line = LineMaker().line(microseconds, program, pid, message)
    assert (line.count(b"\n"), line[-1:]) == (1, b"\n")
    assert not {0, 13} & set(line)


def test_long_messages_end_at_the_bound():
    """And are counted."""
    maker = LineMaker()
    assert len(maker.line(AT, b"sshd", b"1", b"x" * LONGEST)) == LONGEST + 1
    assert len(maker.line(AT, b"sshd", b"1", b"\0" * LONGEST)) == LONGEST + 1
    assert maker.too_long == 2
    fits = LONGEST - len(HEAD) - len(b"sshd[1]: ")
    assert len(maker.line(AT, b"sshd", b"1", b"x" * fits)) == LONGEST + 1
    assert maker.too_long == 2


@given(st.integers(0, 4 * 10**15), st.from_regex(r"[a-z/-]{1,20}", fullmatch=True))
def test_filters_read_it(microseconds, program):
    """The syslog header gives back the time to the microsecond, the program and the pid."""
    spec = FilterSpec("f", program=program, failregex={"auth": (r"^from <HOST>$",)})
    scanner = Scanner([Lens(compile_filter(spec))])
    line = LineMaker().line(microseconds, program.encode(), b"812", b"from 192.0.2.7")
    match = scanner.match_line(0, line.decode(), 0.0)
    assert (match.at, match.ip, match.session) == (pytest.approx(microseconds / 1e6, abs=1e-6), "192.0.2.7", f"{program}[812]")
