"""log.py: what the daemon says, and that nobody else can make it say something."""

import json
import re
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.config.model import LogSpec
from banwatch.log import JournalSink, Log, render_message


@pytest.fixture
def logged(tmp_path):
    """A log that writes to a file, with what has been written so far."""
    log = Log()

    def lines():
        return (tmp_path / "banwatch.log").read_text().splitlines()

    yield log, lines, tmp_path / "banwatch.log"
    log.configure(LogSpec())


def test_a_ban_reads_like_fail2bans_own(logged):
    """The line of a ban is exactly date, level, jail and who, whatever fields the event has."""
    log, lines, path = logged
    log.configure(LogSpec(to=str(path)))
    log.logger().warning("Ban 192.0.2.100", jail="dovecot", who="192.0.2.100", bare=True)
    [line] = lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d WARNING \[dovecot\] Ban 192\.0\.2\.100", line)


def test_json_has_every_field(logged):
    """As JSON the same event tells all it knows."""
    log, lines, path = logged
    log.configure(LogSpec(to=str(path), format="json"))
    log.logger().warning("Ban 192.0.2.100", jail="dovecot", who="192.0.2.100", failures=5, bare=True)
    [line] = lines()
    event = json.loads(line)
    assert event.pop("at") > 1.7e9
    assert event == {"level": "warning", "jail": "dovecot", "event": "Ban 192.0.2.100", "who": "192.0.2.100", "failures": 5}


def test_levels_below_the_wanted_one_are_left_out(logged):
    """`level: warning` leaves out info."""
    log, lines, path = logged
    log.configure(LogSpec(to=str(path), level="warning"))
    log.logger().info("chatter")
    log.logger().error("trouble", error="no space")
    assert [line[20:] for line in lines()] == ["ERROR [banwatch] trouble error='no space'"]


def test_an_exception_stays_on_one_line(logged):
    """A traceback is a field, not forty lines."""
    log, lines, path = logged
    log.configure(LogSpec(to=str(path)))
    try:
        raise RuntimeError("first\nsecond")
    except RuntimeError:
        log.logger().exception("unexpected")
    [line] = lines()
    assert "RuntimeError" in line


def test_reopen_follows_a_rotation(logged):
    """After a rename the next line goes to a new file of the old name."""
    log, lines, path = logged
    log.configure(LogSpec(to=str(path)))
    log.logger().info("one")
    path.rename(f"{path}.1")
    log.reopen()
    log.logger().info("two")
    assert [line[20:] for line in lines()] == ["INFO [banwatch] two"]


def test_a_file_that_cannot_be_opened_leaves_the_old_one(logged, tmp_path):
    """A wrong path is an error, and the log goes on where it was."""
    log, lines, path = logged
    log.configure(LogSpec(to=str(path)))
    with pytest.raises(OSError, match="No such file"):
        log.configure(LogSpec(to=str(tmp_path / "no" / "where.log")))
    log.logger().info("still here")
    assert len(lines()) == 1


def test_the_journal_gets_fields(tmp_path):
    """The journal is told who and why as fields of their own, one datagram each event."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "journal"))
        sink = JournalSink(str(tmp_path / "journal"))
        sink.write({"event": "Ban 192.0.2.1", "level": "warning", "jail": "sshd", "who": "192.0.2.1\nPRIORITY=0", "bare": True})
        sink.close()
        assert journal.recv(4096).decode().splitlines() == [
            "MESSAGE=[sshd] Ban 192.0.2.1",
            "PRIORITY=4",
            "SYSLOG_IDENTIFIER=banwatch",
            "BANWATCH_JAIL=sshd",
            "BANWATCH_WHO=192.0.2.1\\nPRIORITY=0",
        ]


@given(st.text())
def test_text_from_outside_stays_one_field_of_one_line(text):
    """Whatever somebody chose as a user name: one line, and it can be read back."""
    line = render_message({"event": "seen", "login": text, "after": 1})
    assert line.isprintable()
    assert line.startswith("[banwatch] seen login=")
    assert line.endswith(" after=1")
