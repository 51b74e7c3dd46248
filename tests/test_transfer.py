"""transfer.py: the book of one host on another."""

import json

import pytest

from banwatch.config.model import Config, DaemonSpec, JailSpec
from banwatch.engine import Engine
from banwatch.errors import ControlError, FirewallError
from banwatch.model import ALLOW, Ban, Target
from banwatch.transfer import Transfer

NOW = 1_780_000_000.0


class House:
    def __init__(self):
        jails = {"sshd": JailSpec("sshd"), "watched": JailSpec("watched", enforce=False)}
        self.engine = Engine(Config(DaemonSpec(ignoreip=("198.51.100.0/24",)), jails, {}))
        self.carried, self.refuse = [], False

    async def carry_out(self, changes):
        if self.refuse:
            raise FirewallError("set is full")
        self.carried += changes


def asking(house):
    handlers = Transfer(house, lambda: NOW).handlers()

    async def ask(method, **params):
        return await handlers[method](params, None)

    return ask


BANS = [
    Ban("sshd", Target("net", "192.0.2.7"), "ip", NOW - 60, NOW + 600, "ip", failures=3, why="3 attempts in 600 s"),
    Ban("sshd", Target("login", "bob"), "login", NOW - 60, None, "login", failures=9, why="9 attempts in 60 s"),
    Ban("watched", Target("net", "2001:db8::/64"), "ip", NOW - 60, NOW + 600, "ip", enforce=False),
    Ban(ALLOW, Target("net", "203.0.113.0/24"), "net", NOW - 60, None, origin="manual", why="by command"),
]


async def test_there_and_back():
    """What one host exports another imports: who, until when, and why; through JSON."""
    home, away = House(), House()
    home.engine.ban(BANS)
    exported = json.loads(json.dumps(list(await asking(home)("export"))))
    assert await asking(away)("import", bans=exported) == {"imported": 4, "over": 0, "known": 0, "spared": []}
    assert [(ban.jail, ban.target, ban.by, ban.at, ban.until, ban.enforce) for ban in away.engine.book] == [
        (ban.jail, ban.target, ban.by, ban.at, ban.until, ban.enforce) for ban in BANS
    ]
    assert {ban.origin for ban in away.engine.book} == {"imported"}
    assert away.carried == list(away.engine.book)
    assert away.engine.book.get("sshd", BANS[0].target).why == "imported: 3 attempts in 600 s"
    assert (await asking(away)("import", bans=exported))["known"] == 4


async def test_what_is_left_out():
    """Who must not be banned here, and what has ended."""
    bans = [
        {"jail": "sshd", "who": "198.51.100.7", "until": None},
        {"jail": "sshd", "who": "198.51.100.8", "until": None, "forced": True},
        {"jail": "sshd", "who": "192.0.2.7", "until": NOW},
    ]
    house = House()
    assert await asking(house)("import", bans=bans) == {
        "imported": 1,
        "over": 1,
        "known": 0,
        "spared": ["198.51.100.7 in sshd: in ignoreip 198.51.100.0/24"],
    }
    assert [ban.target.who for ban in house.engine.book] == ["198.51.100.8"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (7, "expected an object with jail and who"),
        ({"jail": "sshd", "until": None}, "expected an object with jail and who"),
        ({"jail": "sshd", "who": "example.org", "until": None}, "expected an address, a network or login:NAME"),
        ({"jail": "sshd", "who": "0.0.0.0/0", "until": None}, "0.0.0.0/0: everybody"),
        ({"jail": "web", "who": "192.0.2.8", "until": None}, "there is no jail 'web'; --map web=JAIL names one that there is"),
        ({"jail": "sshd", "who": "192.0.2.8"}, "192.0.2.8: until is missing"),
        ({"jail": "sshd", "who": "192.0.2.8", "until": "x"}, "192.0.2.8: expected at and until in seconds since the epoch"),
        ({"jail": "sshd", "who": "192.0.2.8", "until": 1e300}, "192.0.2.8: expected a time since the epoch, and an end within"),
        ({"jail": "sshd", "who": "192.0.2.8", "until": None, "at": -1e300}, "192.0.2.8: expected a time since the epoch"),
    ],
)
async def test_all_or_nothing(wrong, message):
    """One that makes no sense: none is taken, and it is named."""
    house = House()
    with pytest.raises(ControlError) as caught:
        await asking(house)("import", bans=[{"jail": "sshd", "who": "192.0.2.7", "until": None}, wrong])
    assert caught.value.message.startswith(message)
    assert caught.value.hint == "nothing was imported"
    assert len(house.engine.book) == 0


async def test_a_kernel_that_refuses():
    """Is told as such."""
    house = House()
    house.refuse = True
    with pytest.raises(ControlError, match="the firewall refused: set is full"):
        await asking(house)("import", bans=[{"jail": "sshd", "who": "192.0.2.7", "until": None}])
