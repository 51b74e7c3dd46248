"""`banwatch-client` on a real socket, with answers laid ready."""

import io
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from banwatch.cli.client import main
from banwatch.control.methods import METHODS
from banwatch.control.peer import Peer
from banwatch.control.server import Handler


class Desk:
    """In place of a daemon: keeps what was asked over the socket, gives what was laid ready."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, object]]] = []
        self.answer: Any = None

    def handlers(self) -> dict[str, Handler]:
        return {method: self._handler(method) for method in METHODS}

    def _handler(self, method: str) -> Handler:
        async def answer(params: Mapping[str, Any], peer: Peer) -> object:
            self.asked.append((method, params))
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

        return answer


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def desk(serve: Callable[[Mapping[str, Handler]], Path], monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk()
    monkeypatch.setenv("BANWATCH_SOCKET", str(serve(desk.handlers())))
    return desk


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run the command with these words: exit code, standard output, standard error. Local time is UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()

    def run(*words: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["banwatch-client", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        try:
            code = main()
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    yield run
    monkeypatch.undo()
    time.tzset()
