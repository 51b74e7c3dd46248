"""firewall/program.py: programs that say something, refuse, hang, or are not there."""

import asyncio
import os

import pytest

from banwatch.errors import FirewallError
from banwatch.firewall.program import run_program


def run(*argv, **kwargs):
    return run_program(*argv, package="some", hints=(("no right", "be root"), ("no", "do something")), **kwargs)


async def test_output(program):
    """What is printed comes back, and what goes in is all there is; messages come in no other language."""
    assert await run(program("x", 'cat; echo "$* $LC_ALL"'), "-a", "b c", text="in\n") == "in\n-a b c C\n"
    assert await run(program("x", "cat; echo '\\0377'")) == "\\xff\n"


async def test_refused(program):
    """A refusal is one quoted line, cut where it is long, with the first hint that fits."""
    with pytest.raises(FirewallError) as caught:
        await run(program("x", "echo 'no right at all' >&2; echo more >&2; exit 4"))
    assert caught.value.message == "x refused (4): 'no right at all more'"
    assert caught.value.hint == "be root"
    with pytest.raises(FirewallError) as caught:
        await run(program("x", "printf '%01000d' 5 >&2; exit 1"))
    assert caught.value.message == f"x refused (1): {'0' * 300!r}"
    assert caught.value.hint == ""


async def test_missing():
    """A program that is not there is an error with the package it is in."""
    with pytest.raises(FirewallError) as caught:
        await run("/nonexistent/x")
    assert (caught.value.message, caught.value.hint) == ("x cannot be started: No such file or directory", "apt-get install some")


async def test_hanging(program, monkeypatch):
    """A program that does not end is ended."""
    monkeypatch.setattr("banwatch.firewall.program._PATIENCE", 0.05)
    with pytest.raises(FirewallError, match="x did not end within 0 s"):
        await run(program("x", "exec sleep 60"))


async def test_cancelled(program, tmp_path):
    """Whoever gives up waiting leaves no process behind."""
    os.mkfifo(tmp_path / "fifo")
    running = asyncio.create_task(run(program("x", f"echo $$ >{tmp_path}/fifo; exec sleep 60")))
    number = int(await asyncio.to_thread((tmp_path / "fifo").read_text))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
