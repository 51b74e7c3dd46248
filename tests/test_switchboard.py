"""switchboard.py: which jails are on."""

import pytest

from banwatch.config.model import Config, DaemonSpec, JailSpec, Watch
from banwatch.errors import FirewallError
from banwatch.firewall.null import NullFirewall
from banwatch.listening import Sources
from banwatch.switchboard import Switchboard


class Notes:
    """A log that keeps what it is told."""

    def __init__(self):
        self.told = []

    def info(self, event, **fields):
        self.told.append((event, fields))

    warning = error = info


class Refusing(NullFirewall):
    """A firewall that refuses jails of a certain name."""

    refused = ""
    broken = False

    async def unusable(self, jails):
        return {jail.name: "no" for jail in jails if jail.name == self.refused}

    async def setup(self, jails):
        if self.broken or await self.unusable(jails):
            raise FirewallError("no")
        await super().setup(jails)


def config(tmp_path, **enabled):
    jails = {
        name: JailSpec(name, enabled=how, watch=(Watch("sshd", logs=(str(tmp_path / f"{name}.log"),)),))
        for name, how in enabled.items()
    }
    return Config(DaemonSpec(), jails | {"manual": JailSpec("manual", enabled="true")}, {})


@pytest.fixture
async def board(tmp_path):
    firewall, notes = Refusing(), Notes()
    async with Sources(journal=tmp_path / "journal") as sources:

        async def start(config):
            board = Switchboard(firewall, sources, notes)
            await board.start(config)
            return board

        yield start, firewall, notes


def laid(firewall):
    return sorted(jail.name for jail in firewall.jails)


async def test_auto_is_on_when_its_log_is_there(board, tmp_path):
    """The others are off, without sets and rules; true is on in any case, and so is a jail that watches nothing."""
    start, firewall, _ = board
    (tmp_path / "here.log").touch()
    switches = await start(config(tmp_path, here="auto", gone="auto", wanted="true"))
    assert switches.on == {"here", "wanted", "manual"}
    assert laid(firewall) == ["here", "manual", "wanted"]
    states = {name: switches.view(name, ()).state for name in ("here", "gone", "wanted", "manual")}
    assert states == {"here": "on", "gone": "off", "wanted": "waiting", "manual": "on"}
    assert switches.view("here", ()).files == [str(tmp_path / "here.log")]


async def test_bans_of_an_earlier_life_keep_a_jail_on(board, tmp_path):
    """Its set is not taken away because its log is away."""
    start, firewall, _ = board
    await firewall.setup([JailSpec("gone")])
    assert (await start(config(tmp_path, gone="auto"))).on == {"gone", "manual"}


async def test_switching_on(board, tmp_path):
    """A jail gets what it needs when its first line comes."""
    start, firewall, notes = board
    switches = await start(config(tmp_path, gone="auto"))
    await switches.switch_on(frozenset({"gone"}))
    assert laid(firewall) == ["gone", "manual"]
    assert notes.told == [("jails are on now", {"jails": "gone"})]


async def test_a_firewall_that_refuses_is_told(board, tmp_path):
    """The lines are read all the same; the ban will be tried again."""
    start, firewall, notes = board
    switches = await start(config(tmp_path, gone="auto"))
    firewall.broken = True
    await switches.switch_on(frozenset({"gone"}))
    assert notes.told[0] == ("firewall cannot be set up", {"error": "no", "hint": None})


async def test_one_that_is_refused_keeps_no_other_down(board, tmp_path):
    """At the start, and when its log appears: it alone has no sets and is degraded; it is told once, and again set up later."""
    start, firewall, notes = board
    firewall.refused = "bad"
    switches = await start(config(tmp_path, bad="true", good="true", late="auto"))
    assert laid(firewall) == ["good", "manual"]
    assert (switches.view("bad", ()).state, switches.view("bad", ()).problems) == ("degraded", ["no"])
    assert switches.view("good", ()).state == "waiting"
    await switches.switch_on(frozenset({"late"}))
    assert laid(firewall) == ["good", "late", "manual"]
    told = [("jail is left out of the firewall", {"jail": "bad", "error": "no"}), ("jails are on now", {"jails": "late"})]
    assert notes.told == told
    firewall.refused = ""
    await switches.lay()
    assert laid(firewall) == ["bad", "good", "late", "manual"]
    assert switches.view("bad", ()).state == "waiting"


async def test_a_change_that_is_refused_leaves_what_was(board, tmp_path):
    """Jails, sources and sets."""
    start, firewall, _ = board
    switches = await start(config(tmp_path, a="true"))
    firewall.refused = "b"
    with pytest.raises(FirewallError):
        await switches.change(config(tmp_path, a="true", b="true"))
    assert switches.on == {"a", "manual"}
    assert laid(firewall) == ["a", "manual"]
    firewall.refused = ""
    await switches.change(config(tmp_path, b="true"))
    assert laid(firewall) == ["b", "manual"]
    assert switches.view("b", ["trouble"]).state == "degraded"


async def test_what_is_missing_is_told(board, tmp_path):
    """A jail that was switched on, and none of its logs is there; and whatever cannot be read."""
    start, _, notes = board
    (tmp_path / "dir.log").mkdir()
    switches = await start(config(tmp_path, gone="auto", wanted="true", dir="auto"))
    switches.tell_missing()
    told = {fields["jail"]: fields["error"] for _, fields in notes.told}
    assert sorted(told) == ["dir", "wanted"]
    assert told["wanted"] == "no such file or directory (errno 2)"
    assert "directory" in told["dir"]
