"""logins/doors.py: all doors together."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from banwatch.config.model import DoorsSpec, EximSpec, FilesSpec, PolicySpec
from banwatch.logins.doors import Doors
from banwatch.logins.listing import HEAD
from banwatch.model import Ban, Target


class Log:
    """What was told."""

    def __init__(self):
        self.told = []

    def error(self, event, **fields):
        self.told.append(event)

    warning = error


@pytest.fixture
def doors(house, tmp_path):
    """doors(**spec): doors that are open, with `log` and `names`, who stands in dovecot-deny."""

    @asynccontextmanager
    async def make(**spec):
        log = Log()
        made = Doors(DoorsSpec(**spec), lambda: house.engine, lambda: house.now, house.changes.extend, log)
        made.log = log
        made.names = lambda: (tmp_path / "logins/dovecot-deny").read_text().removeprefix(HEAD).split()
        async with made:
            yield made

    return make


@pytest.fixture
def files(tmp_path):
    return FilesSpec(str(tmp_path / "logins"), pam=True, dovecot=True)


async def test_nothing_is_configured(doors):
    """No door is open, and no log has anything to do with one."""
    async with doors() as made:
        assert (made.open, made.faults, made.covers("dovecot"), made.covers("sshd")) == ([], [], False, False)
        made.note([Ban("mail", Target("login", "alice"), "login", 0.0, None)])
        await made.settle()


async def test_everything_is_open(doors, tmp_path, files):
    """Sockets answer, files are there, and the logs of services with a door are asked about."""
    policy = PolicySpec(port=free_port(), key=str(tmp_path / "key"))
    async with doors(dovecot=policy, exim=EximSpec(str(tmp_path / "exim.sock"), "root"), files=files) as made:
        assert (made.open, made.faults) == (["dovecot", "exim", "pam"], [])
        assert [name for name in ("dovecot", "exim4", "sshd", "postfix", "nginx") if made.covers(name)] == [
            "dovecot",
            "exim4",
            "sshd",
        ]
        assert (tmp_path / "key").stat().st_mode & 0o777 == 0o640
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "exim.sock"))
        writer.write(b"L Ym9i 198.51.100.1\n")
        assert await reader.read() == b"ok"
        writer.close()
        assert made.names() == []


@pytest.mark.parametrize("mode", [0o644, 0o666])
async def test_no_door_without_a_key(doors, tmp_path, files, mode):
    """A key that everybody may read keeps Dovecot's door closed, which is told; the others are open."""
    path = tmp_path / "key"
    path.write_text("k" * 32)
    path.chmod(mode)
    async with doors(dovecot=PolicySpec(port=free_port(), key=str(path)), files=files) as made:
        fault = f"the door for dovecot is closed: no API key in {path}: expected mode 0640, got {mode:04o}"
        assert (made.open, made.faults) == (["pam", "dovecot"], [fault])
        assert made.log.told == ["the door for dovecot is closed"]


async def test_a_port_that_is_taken(doors, tmp_path):
    """It is told."""
    policy = PolicySpec(port=free_port(), key=str(tmp_path / "key"))
    async with doors(dovecot=policy), doors(dovecot=policy) as second:
        assert second.faults == ["the door for dovecot is closed: Address already in use"]


async def test_files_follow_the_book(doors, house, files):
    """A ban is in them when `settle` returns, and is out of them at its end, by the clock of whoever runs."""
    async with doors(files=files) as made:
        made.note(house.ban("alice@example.org"))
        await made.settle()
        assert made.names() == ["alice", "alice@example.org"]
        running = asyncio.create_task(made.run())
        house.now += 3600
        made.note(house.engine.expire(house.now))
        while made.names():
            await asyncio.sleep(0.001)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_is_only_recorded_changes_nothing(doors, house, files):
    """Nor does a ban on an address."""
    async with doors(files=files) as made:
        made.note(house.ban("alice", enforce=False))
        made.note(house.engine.ban([Ban("mail", Target("net", "198.51.100.1"), "ip", house.now, None)]))
        await made.settle()
        assert made.names() == []


async def test_files_that_cannot_be_written(doors, house, files, tmp_path):
    """It is told once, shown by status, and over when it works again."""
    (tmp_path / "logins").write_text("no directory")
    async with doors(files=files) as made:
        made.look_anew()
        await made.settle()
        fault = f"files for services cannot be written in {tmp_path}/logins: File exists"
        assert (made.faults, made.log.told) == ([fault], [fault])
        (tmp_path / "logins").unlink()
        made.look_anew()
        await made.settle()
        assert (made.faults, made.names()) == ([], [])


async def test_sessions_are_ended_when_a_login_is_banned(doors, house):
    """Under each name that services may know it by; not when the ban ends."""
    async with doors(kick=("true",)) as made:
        bans = house.ban("alice@example.org")
        made.note(bans)
        assert [made.kicker._names.get_nowait() for _ in range(2)] == ["alice@example.org", "alice"]
        made.note(house.engine.expire(house.now + 3600))
        assert made.kicker._names.empty()


async def test_questions_that_are_not_answered_are_counted(doors, tmp_path):
    """By door and reason."""
    async with doors(exim=EximSpec(str(tmp_path / "exim.sock"), "root")) as made:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "exim.sock"))
        writer.write(b"nonsense\n")
        assert await reader.read() == b"ok"
        writer.close()
        assert made.refused == {("exim", "malformed"): 1}


async def test_a_log_and_a_door_and_a_file(doors, house, tmp_path):
    """What Exim's door has refused, and what its file has failed, is left out of what its log tells."""
    spec = FilesSpec(str(tmp_path / "logins"), exim=True)
    async with doors(exim=EximSpec(str(tmp_path / "exim.sock"), "root"), files=spec) as made:
        assert made.left("exim4", "auth", house.now, "198.51.100.1", "alice", 1) == 1
        made.note(house.ban("alice@example.org"))
        await made.settle()
        made.desk.ask("exim", "carol", "198.51.100.2", "exim")
        assert made.left("exim4", "auth", house.now, "198.51.100.2", "alice", 1) == 0
        assert made.left("exim4", "auth", house.now, "198.51.100.2", "carol", 1) == 1
        assert json.loads((tmp_path / "logins/bans.json").read_text())[0]["names"] == ["alice@example.org", "alice"]


def free_port():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]
