"""
All doors together: which are open, and what has to be done when a login is banned, or no longer is.

A door that cannot be opened is told, and the others are: a mail server without login bans is better off with everything else.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from banwatch.config.model import DoorsSpec
from banwatch.engine import Change, Engine
from banwatch.errors import ConfigError
from banwatch.login import spellings
from banwatch.logins.barred import Barred
from banwatch.logins.desk import Desk
from banwatch.logins.exim import EximServer
from banwatch.logins.files import DenyFiles
from banwatch.logins.http import PolicyServer
from banwatch.logins.key import load_key
from banwatch.logins.kick import Kicker
from banwatch.logins.listing import list_refused, next_change
from banwatch.model import Ban

AGAIN: Final = 60.0
"""Seconds after which files that could not be written are tried again."""


class Doors:
    """
    Args:
        engine: gives the engine of now.
        submit: takes changes of the book.
        log: a structlog logger.

    Attributes:
        open: the names of the doors that are open.
        told: the filters that read the logs of services that ask.
        faults: what does not work, for `status`.
        refused: questions that were not answered, by (door, reason).
    """

    def __init__(
        self,
        spec: DoorsSpec,
        engine: Callable[[], Engine],
        clock: Callable[[], float],
        submit: Callable[[Sequence[Change]], None],
        log: Any,
    ) -> None:
        self._spec = spec
        self._engine = engine
        self._clock = clock
        self._log = log
        self.desk = Desk(engine, clock, submit, spec.dovecot.smtp)
        self.kicker = Kicker(spec.kick, log)
        self.open: list[str] = []
        self.refused: dict[tuple[str, str], int] = {}
        self._faults: list[str] = []
        self._stack = AsyncExitStack()
        self._files = DenyFiles(spec.files) if spec.files.any() else None
        self.told = {"dovecot", spec.dovecot.smtp} if spec.dovecot.port else set[str]()
        if spec.exim.socket is not None:
            self.told.add("exim4")
        self._barred = Barred(spec.files, clock)
        self._unwritten: str | None = None
        self._next: float | None = None
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Open what is configured."""
        policy, exim = self._spec.dovecot, self._spec.exim
        if policy.port:
            await self._open("dovecot", self._open_policy)
        if exim.socket is not None:
            await self._open("exim", self._open_exim)
        if self._files is not None:
            self._changed.set()
            await self.settle()
            self.open += [
                name for name in ("pam", "dovecot", "exim") if getattr(self._spec.files, name) and name not in self.open
            ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def faults(self) -> list[str]:
        """What does not work."""
        return [*self._faults, *([self._unwritten] if self._unwritten else [])]

    def covers(self, filter_name: str) -> bool:
        """Whether there is a door at the service whose log that filter reads."""
        return filter_name in self.told or filter_name in self._barred.filters

    def left(self, filter_name: str, kind: str, at: float | None, ip: str | None, login: str | None, attempts: int) -> int:
        """How many of `attempts` in a log no door has told of, and are no refusals of ours."""
        if filter_name in self.told:
            attempts = self.desk.joint.left(filter_name, kind, at, ip, attempts)
        if attempts and filter_name in self._barred.filters:
            attempts = self._barred.left(filter_name, kind, at, ip, login, attempts)
        return attempts

    def note(self, changes: Sequence[Change]) -> None:
        """The book has changed."""
        for change in changes:
            ban = change if isinstance(change, Ban) else change.ban
            if ban.target.realm != "login" or not ban.enforce:
                continue
            self._changed.set()
            if change is ban and ban.jail in self._engine().jails:
                self.kicker.kick(spellings(ban.target.who, self._engine().jails[ban.jail].spec.naming))

    def look_anew(self) -> None:
        """Something else has changed on which it depends who is refused: rules, or an alarm."""
        self._changed.set()

    async def settle(self) -> None:
        """Return when the files say what the book says."""
        if self._files is None:
            self._changed.clear()
            return
        async with self._turn:
            while self._changed.is_set():
                self._changed.clear()
                await self._write(self._files)

    async def run(self) -> None:
        """Keep the files up to date, and end sessions, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.kicker.run())
            while True:
                try:
                    async with asyncio.timeout(None if self._next is None else max(0.0, self._next - self._clock())):
                        await self._changed.wait()
                except TimeoutError:
                    self._changed.set()
                await self.settle()

    async def _write(self, files: DenyFiles) -> None:
        now = self._clock()
        refused = list_refused(self._engine(), now)
        self._barred.written(refused, now)
        self._next = next_change(refused, now)
        try:
            await asyncio.to_thread(files.write, refused, now)
            self._unwritten = None
        except OSError as error:
            self._next = now + AGAIN
            fault = f"files for services cannot be written in {files.directory}: {error.strerror}"
            if self._unwritten != fault:
                self._log.error(fault)
            self._unwritten = fault

    async def _open(self, name: str, opener: Callable[[], Any]) -> None:
        try:
            await opener()
        except (OSError, ValueError, ConfigError) as error:
            reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            self._faults.append(f"the door for {name} is closed: {reason}")
            self._log.error(f"the door for {name} is closed", error=reason, hint=getattr(error, "hint", "") or None)
        else:
            self.open.append(name)

    async def _open_policy(self) -> None:
        spec = self._spec.dovecot
        try:
            key = load_key(Path(spec.key))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigError(f"no API key in {spec.key}: {reason}") from error
        server = PolicyServer(spec.host, spec.port, key, self.desk, lambda why: self._refuse("dovecot", why))
        await self._stack.enter_async_context(server)

    async def _open_exim(self) -> None:
        spec = self._spec.exim
        assert spec.socket is not None
        server = EximServer(spec.socket, spec.group, self.desk, lambda why: self._refuse("exim", why))
        await self._stack.enter_async_context(server)
        for note in server.notes:
            self._log.warning(note)

    def _refuse(self, door: str, why: str) -> None:
        self.refused[door, why] = self.refused.get((door, why), 0) + 1
