"""
What systemd is told: ready, reloading, stopping, alive. Does nothing where no manager listens.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

import os
import socket
import time
from collections.abc import Mapping


class Notifier:
    """
    Speaks to the service manager named by NOTIFY_SOCKET.

    Args:
        environ: the environment of the process.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        pid = environ.get("WATCHDOG_PID", "")
        mine = not pid or pid == str(os.getpid())
        micros = environ.get("WATCHDOG_USEC", "")
        self.watchdog: float | None = int(micros) / 1e6 if mine and micros.isdigit() and int(micros) > 0 else None
        """Seconds within which the manager wants to hear from us; None when it does not watch."""

    def ready(self, status: str) -> None:
        """The service does its job from now on; also the end of a reload."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """A reload begins."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The service is about to end."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """The watchdog may be content."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
                manager.sendto(message.encode(), self._address)
        except OSError:
            pass  # a manager that does not listen is no reason to stop protecting the host
