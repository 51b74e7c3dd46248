from datetime import UTC, datetime

import pytest

from banwatch.errors import ConfigError
from banwatch.filter import Lens, Scanner

NOW = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
AT = datetime(2026, 11, 20, 10, 0, 5, tzinfo=UTC).timestamp()
FAILED = "^failed for <F-USER>.*</F-USER> from <HOST>$"
MESSAGE = "failed for bob from 192.0.2.7"


def match(filter_, text):
    return Scanner([Lens(filter_, UTC)]).match_line(0, text, NOW)


@pytest.mark.parametrize(
    ("header", "at", "session"),
    [
        ("Nov 20 10:00:05 mx prog[12]: ", AT, "prog[12]"),
        ("<38>Nov 20 10:00:05 mx prog: ", AT, None),
        ("2026-11-20T10:00:05.500000+00:00 mx prog[12]: ", AT + 0.5, "prog[12]"),
        ("2026-11-20T11:00:05+01:00 mx prog[12]: ", AT, "prog[12]"),
        ("Feb 31 10:00:05 mx prog[12]: ", None, "prog[12]"),
    ],
)
def test_syslog(make, header, at, session):
    """syslog is the traditional header and that of RFC 3339; the program with its pid is the session."""
    found = match(make(FAILED, program="prog"), header + MESSAGE)
    assert (found.ip, found.login, found.at, found.session) == ("192.0.2.7", "bob", at, session)


@pytest.mark.parametrize("program", ["program", "xprog", "prog-x", "a[1]: prog"])
def test_lines_of_other_programs(make, program):
    """`program` is the whole name; another program's line is never looked at, whatever stands in it."""
    assert match(make(FAILED, program="prog"), f"Nov 20 10:00:05 mx {program}[12]: {MESSAGE}") is None


def test_a_program_that_could_be_more_than_a_name(make):
    """`.*` cannot reach beyond the name."""
    filter_ = make(FAILED, program="p.*")
    assert match(filter_, f"Nov 20 10:00:05 mx prog[12]: {MESSAGE}").ip == "192.0.2.7"
    assert match(filter_, f"Nov 20 10:00:05 mx pr[12]: og: {MESSAGE}") is None


def test_uptime_of_the_kernel(make):
    """The kernel's uptime is no part of the message."""
    assert match(make(FAILED, program="kernel"), f"Nov 20 10:00:05 mx kernel: [ 1234.500000] {MESSAGE}").ip == "192.0.2.7"


@pytest.mark.parametrize("head", ["Nov 20 10:00:05 mx", "2026-11-20T10:00:05.5+00:00 mx"])
def test_message_repeated(make, head):
    """The line stands for as many attempts as it says."""
    found = match(make(FAILED, program="prog"), f"{head} prog[12]: message repeated 4 times: [ {MESSAGE}]")
    assert (found.attempts, found.ip, found.session) == (4, "192.0.2.7", "prog[12]")


def test_none(make):
    """Without a header the line is the message; a date is found only if the filter describes one."""
    assert match(make(FAILED, header=("none",)), MESSAGE).at is None
    dated = make("^<HOST> .* failed$", header=("none",), date="%d/%b/%Y:%H:%M:%S %z")
    assert match(dated, "192.0.2.7 [20/Nov/2026:11:00:05 +0100] failed").at == AT


@pytest.mark.parametrize(
    ("header", "line", "session"),
    [
        (r"^<DATE>(?: \[(?P<pid>\d+)\])? ", "2026-11-20 10:00:05 +0000 [77] ", "x[77]"),
        (r"<DATE>(?: \[(?P<pid>\d+)\])? ", "2026-11-20 10:00:05 ", None),
        (r"DEBUG: \(\w+\) <DATE> ", "DEBUG: (wg0) 2026/11/20 10:00:05 ", None),
        (r"<DATE> (?P<program>\w+)\[(?P<pid>\d+)\]: ", "Nov 20 10:00:05 prog[5]: ", "prog[5]"),
    ],
)
def test_a_header_of_ones_own(make, header, line, session):
    """A regex with <DATE> describes any header; what follows it is the message."""
    found = match(make(FAILED, header=(header,)), line + MESSAGE)
    assert (found.at, found.ip, found.session) == (AT, "192.0.2.7", session)


def test_program_in_a_header_of_ones_own(make):
    """A group called program has to be the filter's program."""
    filter_ = make(FAILED, header=(r"<DATE> (?P<program>\w+): ",), program="prog")
    assert match(filter_, f"Nov 20 10:00:05 prog: {MESSAGE}").ip == "192.0.2.7"
    assert match(filter_, f"Nov 20 10:00:05 gorp: {MESSAGE}") is None


def test_more_behind_syslog(make):
    """<SYSLOG> begins a header that goes on; its date is the line's."""
    filter_ = make(FAILED, header=(r"<SYSLOG>(?:<DATE> )?",), program="exim")
    assert match(filter_, f"Nov 20 10:00:05 mx exim[3]: {MESSAGE}").at == AT
    assert match(filter_, f"Nov 20 10:00:05 mx exim[3]: 2026-11-20 09:59:59 {MESSAGE}").at == AT


def test_the_first_header_that_fits_decides(make):
    """What another header would make of the line does not matter then."""
    filter_ = make(FAILED, header=("A: ", "A: B: "))
    assert match(filter_, f"A: {MESSAGE}").ip == "192.0.2.7"
    assert match(filter_, f"A: B: {MESSAGE}") is None


@pytest.mark.parametrize(
    ("keys", "key", "expected"),
    [
        ({"header": ("(",)}, "header[0]", "a regex (missing ), unterminated subpattern)"),
        ({"header": ("<DATE> <DATE>",)}, "header[0]", "<DATE> once"),
        ({"header": ("x <SYSLOG>",)}, "header[0]", "<SYSLOG> at the beginning"),
        ({"program": "["}, "program", "a regex (unterminated character set)"),
        ({"date": "%Q"}, "date", None),
    ],
)
def test_problems(make, keys, key, expected):
    """A bad header, program or date is a problem with its key."""
    with pytest.raises(ConfigError) as caught:
        make(FAILED, **keys)
    (problem,) = caught.value.problems
    assert problem.key == key
    assert expected is None or problem.expected == expected
