"""Ends the sessions that somebody has open whose login is banned, by a program of the service: `doveadm kick NAME`."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

WAITING: Final = 1000
"""Logins that wait to be kicked; more are dropped, and told."""

PATIENCE: Final = 10.0

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@=+-]{0,253}")
"""No option, and nothing that doveadm takes for a pattern."""


class Kicker:
    """
    Args:
        argv: the program and its arguments; the login goes behind them. No shell sees it.
        log: a structlog logger.

    Attributes:
        done, failed: how many logins were kicked, and how many could not be.
    """

    def __init__(self, argv: Sequence[str], log: Any) -> None:
        self._argv = argv
        self._log = log
        self._names: asyncio.Queue[str] = asyncio.Queue(WAITING)
        self.done = 0
        self.failed = 0

    def kick(self, names: Sequence[str]) -> None:
        """Have the sessions of `names` ended soon."""
        for name in names if self._argv else ():
            if not _NAME.fullmatch(name):
                continue
            try:
                self._names.put_nowait(name)
            except asyncio.QueueFull:
                self.failed += 1

    async def run(self) -> None:
        """End sessions, one login after the other, until cancelled."""
        while True:
            await self._kick(await self._names.get())

    async def _kick(self, name: str) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                name,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            self._fail(name, error.strerror or str(error))
            return
        said = None
        try:
            async with asyncio.timeout(PATIENCE):
                _, said = await process.communicate()
        except TimeoutError:
            pass
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if said is None:
            self._fail(name, f"no end within {PATIENCE:g} s")
            return
        # doveadm ends with 68 if the user has no session, which is what is wanted.
        if process.returncode in (0, 68):
            self.done += 1
        else:
            self._fail(name, said[:200].decode("utf-8", "replace").strip() or f"exit code {process.returncode}")

    def _fail(self, name: str, error: str) -> None:
        self.failed += 1
        self._log.warning("sessions could not be ended", login=name, error=error)
