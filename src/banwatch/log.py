"""
The daemon's own log: structlog events as text or JSON lines, to stderr, a file or the journal.

Text: `2025-11-04 10:15:32 WARNING [dovecot] Ban 192.0.2.100`. Bans and unbans are always exactly that; other events carry
`key=value`, and whatever came from outside is shown by repr, so that it can forge neither a line nor a field.
JSON: one object a line with `at` (UTC seconds), `level`, `jail` (null for the daemon itself), `event` and the fields.
"""

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Protocol

from banwatch.config.model import LogSpec
from banwatch.text import escape


def _import_structlog() -> Any:
    # structlog.dev imports rich where it is installed: 11 MB for a traceback style nobody sees here.
    absent = sys.modules.get("rich") is None
    if absent:
        sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog
    finally:
        if absent:
            del sys.modules["rich"]
    return structlog


structlog = _import_structlog()

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3}
_JOURNAL = "/run/systemd/journal/socket"

Event = MutableMapping[str, Any]
Render = Callable[[Mapping[str, Any]], str]


class Sink(Protocol):
    """Where events go; a sink renders them its own way."""

    def write(self, event: Mapping[str, Any]) -> None: ...

    def reopen(self) -> None: ...

    def close(self) -> None: ...


class StderrSink:
    """Standard error; a reader that is gone is no reason to stop."""

    def __init__(self, render: Render) -> None:
        self._render = render

    def write(self, event: Mapping[str, Any]) -> None:
        try:
            sys.stderr.write(self._render(event) + "\n")
            sys.stderr.flush()
        except OSError:
            pass

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
        fields |= {f"BANWATCH_{key.upper()}": str(value) for key, value in event.items() if key in ("jail", "who", "why")}
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
    render = _RENDER[spec.format]
    return StderrSink(render) if spec.to == "stderr" else FileSink(Path(spec.to), render)


def render_message(event: Mapping[str, Any]) -> str:
    """`[jail] event key=value …` of one event; only the event for bans and unbans."""
    head = f"[{event.get('jail') or 'banwatch'}] {escape(str(event['event']))}"
    if event.get("bare"):
        return head
    tail = (f"{key}={_value(value)}" for key, value in event.items() if key not in _HEAD and value is not None)
    return " ".join((head, *tail))


def render_text(event: Mapping[str, Any]) -> str:
    """The line of one event as text, in local time."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event["at"]))
    return f"{stamp} {event['level'].upper()} {render_message(event)}"


def render_json(event: Mapping[str, Any]) -> str:
    """The line of one event as a JSON object."""
    head = {"at": event["at"], "level": event["level"], "jail": event.get("jail"), "event": event["event"]}
    return json.dumps(head | {key: value for key, value in event.items() if key not in _HEAD}, default=str)


_HEAD = frozenset(("at", "level", "jail", "event", "bare"))
_RENDER: dict[str, Render] = {"text": render_text, "json": render_json}


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, str) and (not value or not value.isprintable() or any(c in value for c in " '\"=\\")):
        return repr(value)
    return str(value)


class Log:
    """
    The one log of the process; `configure` may be called again after a reload.

    Raises:
        OSError: from `configure`, when the file cannot be opened; what was in use before stays.
    """

    def __init__(self) -> None:
        self._spec = LogSpec()
        self._sink = open_sink(self._spec)

    def configure(self, spec: LogSpec) -> None:
        """Write as `spec` says from now on."""
        if spec != self._spec:
            fresh = open_sink(spec)
            self._sink.close()
            self._sink, self._spec = fresh, spec

    def reopen(self) -> None:
        """
        Open the file anew, after it was renamed away.

        Raises:
            OSError: it cannot be opened; the old one stays in use.
        """
        self._sink.reopen()

    def logger(self) -> Any:
        """A structlog logger; `jail` is the field that stands in brackets."""
        return structlog.wrap_logger(self, processors=[self._stamp, structlog.processors.format_exc_info, self._emit])

    def _stamp(self, _logger: object, level: str, event: Event) -> Event:
        if LEVELS[level] < LEVELS[self._spec.level]:
            raise structlog.DropEvent
        event["at"] = time.time()
        event["level"] = level
        return event

    def _emit(self, _logger: object, _level: str, event: Event) -> Event:
        self._sink.write(event)
        raise structlog.DropEvent
