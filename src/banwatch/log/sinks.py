"""Where events go: standard error, a file, the journal."""

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from banwatch.config.model import LogSpec
from banwatch.log.render import RENDER, Render, describe_ban, render_message
from banwatch.text import escape

_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3}
_JOURNAL = "/run/systemd/journal/socket"


class Sink(Protocol):
    """Where events go, each rendered in the sink's own way; `lost` counts those that did not get there."""

    lost: int

    def write(self, event: Mapping[str, Any]) -> None: ...

    def reopen(self) -> None: ...

    def close(self) -> None: ...


class StderrSink:
    """Standard error; a reader that is gone is no reason to stop."""

    def __init__(self, render: Render) -> None:
        self._render = render
        self.lost = 0

    def write(self, event: Mapping[str, Any]) -> None:
        try:
            sys.stderr.write(self._render(event) + "\n")
            sys.stderr.flush()
        except OSError:
            self.lost += 1

    def reopen(self) -> None:
        pass

    def close(self) -> None:
        pass


class FileSink:
    """
    A file that is appended to, 0640; reopened after a rotation.

    Raises:
        OSError: from the constructor, when it cannot be opened. Later failures (a full disk) lose lines and are counted.
    """

    def __init__(self, path: Path, render: Render) -> None:
        self._path = path
        self._render = render
        self.lost = 0
        self._fd = self._open()

    def write(self, event: Mapping[str, Any]) -> None:
        try:
            os.write(self._fd, (self._render(event) + "\n").encode("utf-8", "backslashreplace"))
        except OSError:
            self.lost += 1

    def reopen(self) -> None:
        fresh = self._open()
        os.close(self._fd)
        self._fd = fresh

    def close(self) -> None:
        os.close(self._fd)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)


class JournalSink:
    """
    The journal by its native protocol, so that jail and address are fields of their own.

    Source: systemd's documentation, "Native Journal Protocol": KEY=value lines; values with a line end are sent with a length.
    """

    def __init__(self, path: str = _JOURNAL) -> None:
        self.lost = 0
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)

    def write(self, event: Mapping[str, Any]) -> None:
        fields = {"MESSAGE": render_message(event), "PRIORITY": str(_PRIORITY[event["level"]]), "SYSLOG_IDENTIFIER": "banwatch"}
        about = event if event.get("ban") is None else describe_ban(event["ban"]) | dict(event)
        fields |= {f"BANWATCH_{key.upper()}": str(about[key]) for key in ("jail", "who", "why") if about.get(key) is not None}
        parts = [key.encode() + b"=" + escape(value).encode() + b"\n" for key, value in fields.items()]
        try:
            self._socket.sendto(b"".join(parts), self._path)
        except OSError:
            self.lost += 1

    def reopen(self) -> None:
        pass

    def close(self) -> None:
        self._socket.close()


def open_sink(spec: LogSpec) -> Sink:
    """
    The sink that `spec.to` names: stderr, journal, or a file's path.

    Raises:
        OSError: the file cannot be opened.
    """
    if spec.to == "journal":
        return JournalSink()
    render = RENDER[spec.format]
    return StderrSink(render) if spec.to == "stderr" else FileSink(Path(spec.to), render)
