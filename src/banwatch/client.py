"""
The Python client of a running daemon: one blocking connection, nothing but the standard library.

    with Client() as banwatch:
        banwatch.ban(["192.0.2.7"], seconds=3600)
        for ban in banwatch.banned():
            print(ban["who"], ban["until"])
"""

import json
import os
import socket
import struct
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from banwatch.control.protocol import MAX_REQUEST, decode_reply, encode_request
from banwatch.errors import EXIT_USAGE, ControlError, UnreachableError

DEFAULT_SOCKET = "/run/banwatch/banwatch.sock"
_READ = 1 << 18
_PART = MAX_REQUEST // 2
"""Bytes of WHO in one request."""


class Default:
    """The type of DEFAULT, which is not None because None is for ever."""


DEFAULT = Default()
"""As a duration: what the daemon's configuration says."""


class Client:
    """
    Asks the daemon behind `socket` (default: BANWATCH_SOCKET, else the usual place). Connects with the first request.

    Args:
        timeout: seconds without an answer until the daemon counts as not reachable; None waits for ever.

    Every method raises ControlError when the daemon refuses and UnreachableError when it cannot be asked.
    """

    def __init__(self, socket: str | os.PathLike[str] | None = None, timeout: float | None = 10.0) -> None:
        self.path = os.fspath(socket or os.environ.get("BANWATCH_SOCKET") or DEFAULT_SOCKET)
        self.timeout = timeout
        self._socket: Any = None
        self._rest = bytearray()
        self._ident = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; the next request connects again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._rest.clear()

    def call(self, method: str, **params: object) -> Any:
        """
        The daemon's answer to `method`; see docs/control-protocol.md for all of them.

        Raises:
            ControlError: it refuses; `code` is the exit code to leave with.
            UnreachableError: nobody answers.
        """
        self._ident += 1
        request = encode_request(method, params, self._ident)
        if len(request) > MAX_REQUEST + 1:  # the newline is not counted
            raise ControlError(f"the request is longer than {MAX_REQUEST} bytes", "split the list", EXIT_USAGE)
        try:
            return decode_reply(self._exchange(request), self._ident)
        except BaseException as error:
            self.close()  # or an answer that comes late would be taken for the answer to the next request
            if isinstance(error, OSError | ValueError):
                raise self._unreachable(error) from error
            raise

    def ping(self) -> str:
        """pong"""
        return str(self.call("ping"))

    def status(self, jail: str | None = None) -> dict[str, Any]:
        """`jails` (one object each), `state` (ok or degraded) and `problems`; with `jail` of that one alone."""
        result: dict[str, Any] = self.call("status", **({} if jail is None else {"jail": jail}))
        return result

    def banned(self) -> list[dict[str, Any]]:
        """Every ban in force, as in `banwatch-client banned --json`."""
        result: list[dict[str, Any]] = self.call("banned")
        return result

    def ban(
        self,
        who: Iterable[str],
        jail: str | None = None,
        seconds: float | Default | None = DEFAULT,
        force: bool = False,
    ) -> dict[str, Any]:
        """
        `banned` (how many) and `bans` (each as in `banned`). All or nothing.

        Args:
            who: addresses, networks, login:NAME.
            jail: None is the jail `manual`.
            seconds: None is for ever.
            force: also what is ignored, or very wide.
        """
        answers = self._call_for("ban", who, _with_duration({"jail": jail, "force": force}, seconds))
        bans = [ban for answer in answers for ban in answer["bans"]]
        return {"banned": sum(answer["banned"] for answer in answers), "bans": bans}

    def unban(self, who: Iterable[str] = (), jail: str | None = None, everyone: bool = False) -> int:
        """How many bans ended: those of `who`, or all of them, in `jail` or, with None, in every jail."""
        if everyone:
            return int(self.call("unban", jail=jail, all=True)["unbanned"])
        return sum(answer["unbanned"] for answer in self._call_for("unban", who, {"jail": jail}))

    def allow(self, who: Iterable[str], seconds: float | Default | None = DEFAULT) -> int:
        """How many addresses or networks no jail keeps out any more, for so many seconds or, with None, for ever."""
        return sum(answer["allowed"] for answer in self._call_for("allow", who, _with_duration({}, seconds)))

    def allowed(self) -> list[dict[str, Any]]:
        """Everybody who is allowed by command, as in `banwatch-client allowed --json`."""
        result: list[dict[str, Any]] = self.call("allowed")
        return result

    def logins(self) -> dict[str, Any]:
        """`doors` (names), `bans` of logins (as in `banned`, with `why`, `strict`, `refuses`, `homes`) and `alarms`."""
        result: dict[str, Any] = self.call("logins")
        return result

    def why(self, who: str) -> dict[str, Any]:
        """Why `who` is banned, or is not: `verdict`, `bans`, `spared` and `counts`, as in docs/control-protocol.md."""
        result: dict[str, Any] = self.call("why", who=who)
        return result

    def history(self, who: str | None = None, since: float | None = None) -> list[dict[str, Any]]:
        """Bans and their ends, of `who` or everybody, since an instant or the beginning; the newest 10,000."""
        result: list[dict[str, Any]] = self.call("history", who=who, since=since)
        return result

    def export(self) -> list[dict[str, Any]]:
        """Every ban and every allowance, for import_()."""
        result: list[dict[str, Any]] = self.call("export")
        return result

    def import_(self, bans: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """How many were `imported`, `known` already, `over` by now, and who was `spared`; nothing if any makes no sense."""
        result: dict[str, Any] = self.call("import", bans=list(bans))
        return result

    def reload(self) -> dict[str, Any]:
        """`jails` (names) and `problems` (texts) of the configuration now running; a bad one is refused as a whole."""
        result: dict[str, Any] = self.call("reload")
        return result

    def stop(self, flush: bool = False) -> None:
        """Stop the daemon; bans stay in the kernel unless `flush`."""
        self.call("stop", flush=flush)

    def _call_for(self, method: str, who: Iterable[str], params: Mapping[str, object]) -> list[Any]:
        """
        The answers to `method` for all of `who`, in as many requests as that needs.

        If it needs several, each is checked before the first one changes anything: what would be refused is refused for all.
        """
        parts = _split(list(who))
        if len(parts) > 1:
            for part in parts:
                self.call(method, who=part, check=True, **params)
        return [self.call(method, who=part, **params) for part in parts]

    def _connect(self) -> socket.socket:
        """
        Raises:
            OSError: TimeoutError among them.
        """
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # Python's own timeout makes the socket non-blocking, and then connect(2) fails at once where a blocking one waits
            # for a busy daemon to accept.
            if self.timeout is not None:
                seconds, micros = divmod(max(1, round(self.timeout * 1e6)), 1_000_000)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", seconds, micros))
            sock.connect(self.path)
            sock.settimeout(self.timeout)
        except BlockingIOError:
            sock.close()
            raise TimeoutError from None
        except BaseException:
            sock.close()
            raise
        return sock

    def _unreachable(self, error: OSError | ValueError) -> UnreachableError:
        if isinstance(error, TimeoutError):
            return UnreachableError(f"no answer on {self.path} within {self.timeout} s", "the daemon's log may say why")
        if isinstance(error, PermissionError):
            return UnreachableError(f"not allowed to connect to {self.path}", "use sudo, or join the group banwatch")
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            return UnreachableError(f"no banwatch answers on {self.path}: {reason}", "is it running? systemctl status banwatch")
        return UnreachableError(f"what answers on {self.path} speaks another protocol: {error}", "is it a banwatch?")

    def _exchange(self, request: bytes) -> bytes:
        """
        The line that answers `request`.

        Raises:
            OSError: TimeoutError among them.
        """
        if self._socket is None:
            self._socket = self._connect()
        with suppress(BrokenPipeError, ConnectionResetError):  # a daemon that hangs up early says why
            self._socket.sendall(request)
        scanned = 0
        while (end := self._rest.find(b"\n", scanned)) < 0:
            scanned = len(self._rest)
            data = self._socket.recv(_READ)
            if not data:
                raise ConnectionResetError(None, "the connection ended before the answer")
            self._rest += data
        line = bytes(self._rest[:end])
        del self._rest[: end + 1]
        return line


def _split(who: list[str]) -> list[list[str]]:
    """`who` in parts that fit into a request each; one part, if empty, for nobody."""
    parts: list[list[str]] = [[]]
    size = 0
    for text in who:
        size += len(json.dumps(text)) + 1
        if size > _PART and parts[-1]:
            parts.append([])
            size = len(json.dumps(text)) + 1
        parts[-1].append(text)
    return parts


def _with_duration(params: dict[str, object], seconds: float | Default | None) -> dict[str, object]:
    return params if isinstance(seconds, Default) else {**params, "for": seconds}
