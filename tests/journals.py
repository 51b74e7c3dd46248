"""Real journal files for tests, made by systemd-journal-remote from its export format."""

import struct
import subprocess
import time
from itertools import count
from pathlib import Path

REMOTE = Path("/lib/systemd/systemd-journal-remote")
BOOT = b"0123456789abcdef0123456789abcdef"
SSHD = {"SYSLOG_IDENTIFIER": "sshd", "_UID": "0", "_PID": "812"}
DOVECOT = {"SYSLOG_IDENTIFIER": "dovecot", "_UID": "0", "_PID": "99"}
_moments = count(1)


def export(message, at, **fields):
    """One entry in the export format; `at` is in seconds. https://systemd.io/JOURNAL_EXPORT_FORMATS"""
    microseconds = round(at * 1e6)
    text = b"__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n" % (microseconds, next(_moments), BOOT)
    if message is not None:
        fields["MESSAGE"] = message
    for name, value in fields.items():
        data = value if isinstance(value, bytes) else str(value).encode()
        if data.isascii() and data.decode("ascii").isprintable():
            text += b"%s=%s\n" % (name.encode(), data)
        else:
            text += b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(data)), data)
    return text + b"\n"


class JournalFile:
    """A journal file that grows."""

    def __init__(self, path):
        self.path = path
        self._at = 0.0

    def write(self, *messages, at=None, **fields):
        """Entries with these messages and fields; the file has them when this returns."""
        entries = []
        for message in messages:
            self._at = max(self._at + 1e-5, at or time.time() - 1.0)
            entries.append(export(message, self._at, **fields))
        self.feed(b"".join(entries))

    def feed(self, exported):
        """What the export format says; the file has it when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [str(REMOTE), f"--output={self.path}", "--split-mode=none", "-"],
            input=exported, check=True, capture_output=True, timeout=60,
        )  # fmt: skip
