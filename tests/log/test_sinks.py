"""log/sinks.py: where events go."""

import socket

import pytest

from banwatch.config.model import LogSpec
from banwatch.log.sinks import JournalSink, StderrSink, open_sink

EVENT = {"at": 0.0, "level": "info", "event": "one"}


def test_a_file_is_appended_to_and_follows_a_rotation(tmp_path):
    """After a rename the next line goes to a new file of the old name, and nothing is truncated."""
    path = tmp_path / "banwatch.log"
    path.write_text("before\n")
    sink = open_sink(LogSpec(to=str(path)))
    sink.write(EVENT)
    path.rename(f"{path}.1")
    sink.reopen()
    sink.write(EVENT | {"event": "two"})
    sink.close()
    assert (tmp_path / "banwatch.log.1").read_text().splitlines()[0] == "before"
    assert [line[20:] for line in path.read_text().splitlines()] == ["INFO [banwatch] two"]
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_is_not_followed(tmp_path):
    """Nobody who may write the directory makes the daemon write elsewhere."""
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="link"):
        open_sink(LogSpec(to=str(tmp_path / "link")))


def test_json_goes_to_files_too(tmp_path):
    """format: json."""
    sink = open_sink(LogSpec(to=str(tmp_path / "log"), format="json"))
    sink.write(EVENT)
    sink.close()
    assert (tmp_path / "log").read_text() == '{"at": 0.0, "level": "info", "jail": null, "event": "one"}\n'


def test_standard_error(capsys):
    """The default."""
    sink = open_sink(LogSpec())
    assert isinstance(sink, StderrSink)
    sink.write(EVENT)
    assert capsys.readouterr().err.endswith("INFO [banwatch] one\n")


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


def test_a_journal_that_is_gone_loses_lines_and_nothing_else(tmp_path):
    """Counted."""
    sink = JournalSink(str(tmp_path / "gone"))
    sink.write({"event": "x", "level": "info"})
    sink.close()
    assert sink.lost == 1
