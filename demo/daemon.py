"""banwatch running on the machine within: its log lines as they come, and its client."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from threading import Condition, Thread
from time import monotonic
from types import TracebackType
from typing import Self

from demo.machine import Machine, child_of

PROGRAMS = Path(sys.executable).parent
NOTIFY = "/run/banwatch-notify"
"""Where the daemon says READY=1, as it does to systemd."""

STATE = "/run/banwatch/banwatch.db"
"""The store; /var/lib may be the one of the machine around."""


class Daemon:
    """
    `banwatch run` as a context manager: inside it is ready, and at the end it is told to stop.

    Args:
        options: what follows `banwatch run`.
        wrap: a command that runs the daemon, such as setpriv with its options.
    Raises:
        RuntimeError: it ended before it was ready, or was not ready in time; with its exit code and what it said.
    """

    def __init__(self, machine: Machine, *options: str, wrap: tuple[str, ...] = ()) -> None:
        self.machine = machine
        self.lines: list[str] = []
        self.argv = (*wrap, str(PROGRAMS / "banwatch"), "run", "--state", STATE, *options)
        self._changed = Condition()
        self._at_end = False

    def __enter__(self) -> Self:
        path = self.machine.path(NOTIFY)
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(path))
            path.chmod(0o666)
            self._process = self.machine.start(*self.argv, env={"NOTIFY_SOCKET": NOTIFY}, stderr=subprocess.PIPE)
            self._reader = Thread(target=self._read, daemon=True)
            self._reader.start()
            notify.settimeout(0.1)
            self._await_ready(notify)
        self.pid = child_of(self._process.pid)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end(signal.SIGTERM)

    def end(self, number: int) -> int:
        """Sends a signal that ends it, and returns its exit code when it is gone; a second time nothing happens."""
        if self._process.poll() is None:
            os.kill(self.pid, number)
        code = self._process.wait(timeout=10)
        self._reader.join(timeout=10)
        return code

    def await_end(self, within: float = 10.0) -> int:
        """Its exit code, when it ended by itself."""
        return self._process.wait(within)

    def await_line(self, pattern: str, after: int = 0, within: float = 10.0) -> re.Match[str]:
        """
        The first log line, from number `after` on, in which the regex `pattern` is found.

        Raises:
            TimeoutError: there was none; with what there was.
        """
        regex = re.compile(pattern)
        end = monotonic() + within
        with self._changed:
            while True:
                for line in self.lines[after:]:
                    if match := regex.search(line):
                        return match
                if self._at_end or not self._changed.wait(max(0.0, end - monotonic())):
                    said = "\n".join(self.lines[after:]) or "nothing"
                    raise TimeoutError(f"not within {within:g} s: {pattern!r}; the daemon said:\n{said}")

    def said(self, text: str) -> bool:
        """Whether `text` is in any of its log lines."""
        return any(text in line for line in self.lines)

    def client(self, *argv: str, input: str = "") -> subprocess.CompletedProcess[str]:
        """What `banwatch-client` answered on that machine."""
        return self.machine.run(str(PROGRAMS / "banwatch-client"), *argv, input=input, check=False)

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for raw in lines:
                line = raw.decode("utf-8", "replace").rstrip("\n")
                with self._changed:
                    self.lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._at_end = True
            self._changed.notify_all()

    def _await_ready(self, notify: socket.socket, within: float = 20.0) -> None:
        end = monotonic() + within
        while True:
            try:
                if b"READY=1" in notify.recv(4096).split(b"\n"):
                    return
            except TimeoutError:
                code = self._process.poll()
                if code is None and monotonic() < end:
                    continue
                if code is None:
                    self._process.kill()
                self._reader.join()
                raise RuntimeError(f"the daemon ended with {code}, and was never ready: {' / '.join(self.lines)}") from None
