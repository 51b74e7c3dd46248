"""libsystemd through ctypes, on real journal files."""

import errno
import time

import pytest
from tests.journals import DOVECOT, SSHD

from banwatch.errors import SourceError
from banwatch.sources.journal_library import Handle, Library


def test_without_it():
    """What is missing, and how to get it."""
    with pytest.raises(SourceError, match=r"^the journal is not read: libmissing\.so\.0 cannot be loaded$") as caught:
        Library("libmissing.so.0")
    assert caught.value.hint == "apt-get install libsystemd0"


def test_another_library():
    """One that has not what is needed is as good as none."""
    with pytest.raises(SourceError):
        Library("libc.so.6")


def test_going_to_and_fro(journal):
    """Matches are words that all hold, of which any item does; values are bytes, cut to the bound."""
    now = time.time()
    journal.write("1", at=now, **SSHD)
    journal.write("2", at=now + 1, **DOVECOT)
    journal.write(b"3\n\xff", "4444444444", at=now + 2, **SSHD | {"_UID": "7"})
    with Handle(Library(), journal.path.parent, 8) as handle:
        handle.match(["journal:SYSLOG_IDENTIFIER=sshd+_UID=7", "journal:SYSLOG_IDENTIFIER=dovecot+_UID=0"])
        handle.seek_time(0)
        seen = []
        while handle.next():
            seen.append(handle.value(b"MESSAGE"))
        assert seen == [b"2", b"3\n\xff", b"44444444"]
        assert handle.value(b"NONE") is None
        assert not handle.next()
        assert handle.previous()
        assert handle.time() == round((now + 2) * 1e6)
        cursor = handle.cursor()
        assert (handle.seek_behind(cursor), handle.next(), handle.value(b"MESSAGE")) == (False, True, b"44444444")
        handle.match(["journal:_UID=0"])
        assert (handle.seek_behind(cursor), handle.next()) == (False, False)
        handle.seek_end()
        assert (handle.previous(), handle.value(b"MESSAGE")) == (True, b"2")
        assert (handle.process(), handle.due()) == (False, None)


def test_errors_have_their_number(journal):
    """A cursor that is none."""
    journal.write("1", **SSHD)
    with Handle(Library(), journal.path.parent, 8) as handle, pytest.raises(OSError, match="Invalid argument") as caught:
        handle.seek_behind("nonsense")
    assert caught.value.errno == errno.EINVAL


def test_a_directory_that_is_none(journal):
    """Nothing stays open."""
    with pytest.raises(OSError, match="No such file"):
        Handle(Library(), journal.path.parent, 8)
