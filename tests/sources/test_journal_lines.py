"""A journal file as a log."""

import pytest
from tests.journals import DOVECOT, SSHD

from banwatch.errors import SourceError
from banwatch.sources.journal_lines import JournalLines


def test_every_entry_is_a_line(journal):
    """Whoever wrote it, in the order of the journal; however much is asked for at once."""
    journal.write("a", "b", **SSHD)
    journal.write("c", None, **DOVECOT)
    for size in (1, 60, 1000):
        lines = JournalLines(str(journal.path))
        blocks = iter(lambda lines=lines, size=size: lines.read(size), b"")
        texts = [line.partition(b" - ")[2] for line in b"".join(blocks).splitlines()]
        assert texts == [b"sshd[812]: a", b"sshd[812]: b", b"dovecot[99]: c"]
        lines.close()


def test_what_is_no_journal(tmp_path):
    """It is said, and nothing stays open."""
    path = tmp_path / "x.journal"
    path.write_bytes(bytes(5000))
    with pytest.raises(SourceError, match=r"x\.journal: "):
        JournalLines(str(path))
