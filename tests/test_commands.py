"""commands.py: what may be said over the control socket, and what comes of it."""

import pytest

from banwatch.commands import Commands
from banwatch.config.model import AlarmSpec, Config, DaemonSpec, JailSpec, Limit
from banwatch.engine import Engine, Surroundings
from banwatch.errors import ControlError, FirewallError
from banwatch.login import Naming
from banwatch.model import ALLOW, Ban, Target, Unban
from banwatch.switchboard import JailView

NOW = 1_780_000_000.0


class House:
    """An engine without a kernel: it notes what would be carried out, and refuses it when told so."""

    def __init__(self, *jails, ignoreip=()):
        specs = {name: JailSpec(name, bantime=3600.0) for name in (*jails, "manual")}
        self.engine = Engine(Config(DaemonSpec(ignoreip=ignoreip), specs, {}), Surroundings(own=frozenset({"203.0.113.1"})))
        self.carried = []
        self.submitted = []
        self.refuse = False
        self.stopped = None

    def view(self, jail):
        return JailView("on", (), ())

    def problems(self):
        return ()

    def in_force(self, ban):
        return ban.target.realm == "net"

    async def carry_out(self, changes):
        if self.refuse:
            raise FirewallError("set is full", "make room")
        self.carried += changes

    def submit(self, changes):
        self.submitted += changes

    async def dropped(self):
        return {"manual": {"192.0.2.7": 12}}

    async def reload(self):
        return {"jails": []}

    def doors(self):
        return ["dovecot"]

    def stop(self, flush):
        self.stopped = flush


@pytest.fixture
def house():
    return House("sshd", ignoreip=("198.51.100.0/24",))


def asking(house):
    commands = Commands(house, clock=lambda: NOW)
    handlers = commands.handlers()

    async def ask(method, **params):
        return await handlers[method](params, None)

    return ask


def banned(house, jail="manual"):
    return {str(ban.target): ban.until for ban in house.engine.book.of_jail(jail).values()}


async def test_ban_without_jail_goes_to_manual(house):
    """The reply comes after the kernel has it, and says what now holds."""
    reply = await asking(house)("ban", who=["192.0.2.7"])
    assert reply["banned"] == 1
    assert reply["bans"][0] | {"dropped": None} == {
        "jail": "manual", "by": "ip", "who": "192.0.2.7", "at": NOW, "until": NOW + 3600, "left": 3600.0,
        "origin": "manual", "rule": None, "enforced": True, "dropped": None,
    }  # fmt: skip
    assert [change.target for change in house.carried] == [Target("net", "192.0.2.7")]


@pytest.mark.parametrize(("seconds", "until"), [(60.0, NOW + 60), (None, None)])
async def test_for(house, seconds, until):
    """`for` is seconds, null for ever, and without it the jail's bantime counts."""
    await asking(house)("ban", jail="sshd", who=["192.0.2.7"], **{"for": seconds})
    assert banned(house, "sshd") == {"192.0.2.7": until}


async def test_the_later_end_wins(house):
    """A second ban that ends earlier is no error, and changes nothing."""
    ask = asking(house)
    await ask("ban", who=["192.0.2.7"], **{"for": 600.0})
    assert (await ask("ban", who=["192.0.2.7"], **{"for": 60.0}))["bans"][0]["left"] == 600.0
    await ask("ban", who=["192.0.2.7"], **{"for": 900.0})
    assert banned(house) == {"192.0.2.7": NOW + 900}


@pytest.mark.parametrize(
    ("who", "why"),
    [
        ("198.51.100.9", "ignoreip"),
        ("203.0.113.1", "own address"),
        ("203.0.113.0/24", "own address"),
        ("10.0.0.0/7", "wider than /8"),
        ("2001::/31", "wider than /32"),
        ("0.0.0.0/0", "everybody"),
        ("example.org", "expected an address"),
        ("login:", "expected a name"),
    ],
)
async def test_ban_is_all_or_nothing(house, who, why):
    """One that is refused keeps the others from being banned, and the reason is told."""
    with pytest.raises(ControlError, match=why):
        await asking(house)("ban", who=["192.0.2.7", who])
    assert banned(house) == {}
    assert house.carried == []


@pytest.mark.parametrize("who", ["198.51.100.9", "10.0.0.0/7"])
async def test_force(house, who):
    """--force bans whoever is named, but never everybody."""
    ask = asking(house)
    await ask("ban", who=[who], force=True)
    assert who in banned(house)
    with pytest.raises(ControlError, match="everybody"):
        await ask("ban", who=["::/0"], force=True)


async def test_unknown_jail(house):
    """The jails there are stand in the hint."""
    with pytest.raises(ControlError, match="there is no jail 'ssh'") as caught:
        await asking(house)("ban", jail="ssh", who=["192.0.2.7"])
    assert caught.value.hint == "jails: manual, sshd"


async def test_what_the_kernel_refuses_is_not_in_the_book(house):
    """A ban that is not in force is put back to what was before: nothing, or the shorter ban."""
    ask = asking(house)
    await ask("ban", who=["192.0.2.7"], **{"for": 60.0})
    house.refuse = True
    with pytest.raises(ControlError, match="the firewall refused: set is full") as caught:
        await ask("ban", who=["192.0.2.7", "192.0.2.8"], **{"for": 600.0})
    assert caught.value.code == 69
    assert banned(house) == {"192.0.2.7": NOW + 60}
    assert [type(change) for change in house.submitted] == [Unban, Unban, Ban]
    assert house.submitted[-1].until == NOW + 60


async def test_unban_takes_it_out_of_every_jail(house):
    """Without a jail all of them are meant."""
    ask = asking(house)
    await ask("ban", jail="sshd", who=["192.0.2.7"])
    await ask("ban", who=["192.0.2.7"])
    assert await ask("unban", who=["192.0.2.7"]) == {"unbanned": 2}
    assert banned(house) == banned(house, "sshd") == {}


async def test_unban_of_an_ipv6_address_means_its_network(house):
    """An attacker is banned by /64; he who unbans one address of it means that."""
    ask = asking(house)
    await ask("ban", jail="sshd", who=["2001:db8:1:2::/64"])
    assert await ask("unban", who=["2001:db8:1:2::99"]) == {"unbanned": 1}


async def test_unban_is_all_or_nothing(house):
    """One who is not banned is named, and nobody is unbanned."""
    ask = asking(house)
    await ask("ban", who=["192.0.2.7"])
    with pytest.raises(ControlError, match=r"not banned: 192\.0\.2\.8; login:bob"):
        await ask("unban", who=["192.0.2.7", "192.0.2.8", "login:bob"])
    assert list(banned(house)) == ["192.0.2.7"]


async def test_many_at_once(house):
    """Thousands are banned and unbanned in pieces, and an error does not name them all."""
    ask = asking(house)
    many = [f"10.0.{number // 250}.{number % 250}" for number in range(2000)]
    assert (await ask("ban", who=many))["banned"] == 2000
    assert await ask("unban", who=many) == {"unbanned": 2000}
    with pytest.raises(ControlError, match="; and 1980 more"):
        await ask("unban", who=many)


async def test_unban_all(house):
    """Every ban of a jail, or of all jails; the allowed stay allowed."""
    ask = asking(house)
    await ask("allow", who=["192.0.2.1"])
    await ask("ban", jail="sshd", who=["192.0.2.7", "192.0.2.8"])
    await ask("ban", who=["192.0.2.9"])
    assert await ask("unban", jail="sshd", all=True) == {"unbanned": 2}
    assert await ask("unban", all=True) == {"unbanned": 1}
    assert list(banned(house, ALLOW)) == ["192.0.2.1"]


async def test_allow_lets_in_at_once(house):
    """Allowing somebody ends his bans; taking it back makes him an ordinary one again."""
    ask = asking(house)
    await ask("ban", jail="sshd", who=["192.0.2.7"])
    assert await ask("allow", who=["192.0.2.0/24"], **{"for": 60.0}) == {"allowed": 1, "unbanned": 1}
    assert banned(house, "sshd") == {}
    assert banned(house, ALLOW) == {"192.0.2.0/24": NOW + 60}
    for force in (False, True):
        with pytest.raises(ControlError, match=r"192\.0\.2\.7: allowed") as caught:
            await ask("ban", who=["192.0.2.7"], force=force)
        assert caught.value.hint == "nothing was changed; `banwatch-client unban` takes an allowance back"
    await ask("unban", who=["192.0.2.0/24"])
    await ask("ban", who=["192.0.2.7"])


async def test_allow_leaves_the_network_around_banned(house):
    """He gets in, since the kernel looks for allowances first; his neighbours stay out."""
    ask = asking(house)
    await ask("ban", who=["192.0.2.0/24"])
    assert await ask("allow", who=["192.0.2.7"]) == {"allowed": 1, "unbanned": 0}
    assert list(banned(house)) == ["192.0.2.0/24"]


async def test_allowed_lists_who_is(house):
    """Each with its end, and none of the bans."""
    ask = asking(house)
    await ask("ban", who=["192.0.2.9"])
    await ask("allow", who=["192.0.2.7"], **{"for": 60.0})
    await ask("allow", who=["2001:db8::/32"])
    common = {"at": NOW, "origin": "manual", "enforced": True}
    assert list(await ask("allowed")) == [
        {"by": "ip", "who": "192.0.2.7", "until": NOW + 60, "left": 60.0, **common},
        {"by": "net", "who": "2001:db8::/32", "until": None, "left": None, **common},
    ]


@pytest.mark.parametrize(("method", "answer"), [("ban", {"banned": 0, "bans": []}), ("allow", {"allowed": 0, "unbanned": 0})])
async def test_a_check_changes_nothing(house, method, answer):
    """It refuses what would be refused."""
    ask = asking(house)
    assert await ask(method, who=["192.0.2.7"], check=True) == answer
    with pytest.raises(ControlError, match="everybody"):
        await ask(method, who=["0.0.0.0/0"], check=True)
    assert len(house.engine.book) == 0


async def test_a_checked_unban_changes_nothing(house):
    """Who is not banned is named already by the check."""
    ask = asking(house)
    await ask("ban", who=["192.0.2.7"])
    assert await ask("unban", who=["192.0.2.7"], check=True) == {"unbanned": 0}
    with pytest.raises(ControlError, match="not banned"):
        await ask("unban", who=["192.0.2.8"], check=True)
    assert list(banned(house)) == ["192.0.2.7"]


async def test_banned_lists_logins_and_addresses(house):
    """Logins stand beside addresses, bare, and are not enforced by the kernel; dropped packets where they are known."""
    ask = asking(house)
    await ask("ban", who=["192.0.2.7", "login:bob"])
    seen = [(entry["by"], entry["who"], entry["enforced"], entry["dropped"]) for entry in await ask("banned")]
    assert seen == [("ip", "192.0.2.7", True, 12), ("login", "bob", False, None)]


async def test_status(house):
    """One object for each jail; logins are no part of the address list."""
    ask = asking(house)
    await ask("ban", jail="sshd", who=["192.0.2.7", "login:bob"])
    reply = await ask("status", jail="sshd")
    assert (reply["state"], reply["problems"]) == ("ok", [])
    assert reply["jails"] == [
        {
            "jail": "sshd", "currently_failed": 0, "total_failed": 0, "file_list": [], "currently_banned": 1,
            "total_banned": 1, "banned": ["192.0.2.7"], "state": "on", "enforce": True, "leaks": [], "problems": [],
        }
    ]  # fmt: skip
    assert [jail["jail"] for jail in (await ask("status"))["jails"]] == ["manual", "sshd"]


async def test_ping_reload_stop(house):
    """The short ones."""
    ask = asking(house)
    assert await ask("ping") == "pong"
    assert await ask("reload") == {"jails": []}
    assert await ask("stop", flush=True) == "stopping"
    assert house.stopped is True


def named_house():
    """A house in which logins have a default domain, but for the jail sshd."""
    house = House()
    naming = Naming("example.org")
    specs = {"sshd": JailSpec("sshd"), "manual": JailSpec("manual", bantime=3600.0, naming=naming)}
    house.engine = Engine(Config(DaemonSpec(naming=naming), specs, {}))
    return house


async def test_a_login_is_the_account_that_it_means():
    """ban, allow and unban write a login as the jail does, however it is typed."""
    house = named_house()
    ask = asking(house)
    await ask("ban", who=["login:Bob"])
    assert banned(house) == {"login:bob@example.org": NOW + 3600}
    assert await ask("unban", who=["login:BOB+x@example.org"]) == {"unbanned": 1}
    await ask("ban", jail="sshd", who=["login:Bob"], **{"for": 60.0})
    assert banned(house, "sshd") == {"login:bob": NOW + 60}
    assert await ask("unban", who=["login:bob"]) == {"unbanned": 1}
    await ask("allow", who=["login:bob"])
    with pytest.raises(ControlError, match=r"login:bob@example\.org: allowed"):
        await ask("ban", who=["login:bob@example.org"])
    assert await ask("unban", who=["login:bob"]) == {"unbanned": 1}


async def test_logins():
    """Who is banned by login and why, from where not, whose account looks compromised, and which doors there are."""
    house = named_house()
    ask = asking(house)
    manual = house.engine.jails["manual"]
    for day in (1, 2):
        manual.known.note("203.0.113.7", "bob@example.org", NOW - day * 86400)
    manual.alarms.spec = AlarmSpec(Limit(1, 60.0))
    manual.alarms.note("eve@example.org", "203.0.113.7", NOW)
    await ask("ban", who=["login:bob", "192.0.2.7"])
    answer = await ask("logins")
    [ban] = answer.pop("bans")
    assert answer == {"doors": ["dovecot"], "alarms": [{"jail": "manual", "login": "eve@example.org"}]}
    assert {key: ban[key] for key in ("jail", "by", "who", "left", "why", "strict", "refuses", "homes")} == {
        "jail": "manual",
        "by": "login",
        "who": "bob@example.org",
        "left": 3600.0,
        "why": "by command",
        "strict": False,
        "refuses": True,
        "homes": ["203.0.113.0/24"],
    }
