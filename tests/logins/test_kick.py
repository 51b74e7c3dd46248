"""logins/kick.py: sessions that are open are ended."""

import asyncio
import sys

import pytest

from banwatch.logins import kick
from banwatch.logins.kick import Kicker


class Log:
    """What was told."""

    def __init__(self):
        self.told = []
        self.more = asyncio.Event()

    def warning(self, event, **fields):
        self.told.append((event, fields))


async def settle(kicker, *names):
    """Kick `names` and return when all is done."""
    kicker.kick(names)
    task = asyncio.create_task(kicker.run())
    while kicker.done + kicker.failed < len(names):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def program(tmp_path, text):
    path = tmp_path / "program"
    path.write_text(f"#!{sys.executable}\nimport sys\n{text}\n")
    path.chmod(0o755)
    return str(path)


async def test_the_name_is_the_last_argument(tmp_path):
    """Behind those that are configured, as it is."""
    path = program(tmp_path, f"open('{tmp_path}/said', 'a').write(repr(sys.argv[1:]))")
    kicker = Kicker((path, "kick"), Log())
    await settle(kicker, "alice@example.org")
    assert (tmp_path / "said").read_text() == "['kick', 'alice@example.org']"
    assert (kicker.done, kicker.failed) == (1, 0)


async def test_nobody_was_there(tmp_path):
    """doveadm ends with 68 then; that is what was wanted."""
    kicker = Kicker((program(tmp_path, "sys.exit(68)"),), Log())
    await settle(kicker, "alice")
    assert (kicker.done, kicker.failed) == (1, 0)


@pytest.mark.parametrize(
    ("text", "error"), [("sys.exit('Permission denied')", "Permission denied"), ("sys.exit(75)", "exit code 75")]
)
async def test_it_failed(tmp_path, text, error):
    """It is told, and the next one is kicked all the same."""
    log = Log()
    kicker = Kicker((program(tmp_path, text),), log)
    await settle(kicker, "alice", "bob")
    assert log.told == [("sessions could not be ended", {"login": name, "error": error}) for name in ("alice", "bob")]


async def test_no_such_program(tmp_path):
    """It is told."""
    log = Log()
    await settle(Kicker((f"{tmp_path}/none",), log), "alice")
    assert log.told == [("sessions could not be ended", {"login": "alice", "error": "No such file or directory"})]


async def test_a_program_that_does_not_end(tmp_path, monkeypatch):
    """It is ended."""
    monkeypatch.setattr(kick, "PATIENCE", 0.05)
    log = Log()
    await settle(Kicker((program(tmp_path, "import time; time.sleep(60)"),), log), "alice")
    assert log.told == [("sessions could not be ended", {"login": "alice", "error": "no end within 0.05 s"})]


@pytest.mark.parametrize("name", ["-A", "*", "a*", "a b", "", "a\nb", "a/b"])
async def test_a_name_is_no_option_and_no_pattern(name):
    """Such a one is nobody's, and nobody is kicked for it."""
    kicker = Kicker(("true",), Log())
    kicker.kick([name])
    assert kicker._names.empty()


async def test_very_many(monkeypatch):
    """What finds no room is counted as failed; where nothing is configured nothing waits."""
    kicker = Kicker(("true",), Log())
    kicker.kick(["alice"] * (kick.WAITING + 2))
    assert kicker.failed == 2
    idle = Kicker((), Log())
    idle.kick(["alice"])
    assert idle._names.empty()
