"""firewall/null.py: a firewall that only remembers."""

import pytest

from banwatch.firewall.null import NullFirewall


@pytest.fixture
def null(say):
    clock = [say.now]
    firewall = NullFirewall(lambda: clock[0])
    firewall.advance = lambda seconds: clock.__setitem__(0, clock[0] + seconds)
    return firewall


async def test_ban_and_unban(null, say):
    """What was banned is banned, until it is not; absent already is fine."""
    await null.setup([say.jail()])
    await null.ban([say.ban("192.0.2.7"), say.ban("2001:db8::/64", None), say.ban("192.0.2.9", jail="allow")], say.now)
    await null.unban([say.key("192.0.2.9", "allow"), say.key("192.0.2.10")])
    assert await null.banned() == {say.key("192.0.2.7"): 600.0, say.key("2001:db8::/64"): None}
    assert await null.dropped() == {}
    assert [jail.name for jail in null.jails] == ["sshd"]


async def test_logins_and_recorded_bans_are_not_for_a_firewall(null, say):
    """A login, and a ban that is only recorded, are passed over."""
    await null.ban([say.ban("login:bob"), say.ban("192.0.2.7", enforce=False)], say.now)
    assert await null.banned() == {}


async def test_time_passes(null, say):
    """A ban ends by itself; given again, it lasts anew."""
    await null.ban([say.ban("192.0.2.7", 10), say.ban("192.0.2.8", 10)], say.now)
    null.advance(9)
    await null.ban([say.ban("192.0.2.8", 20)], say.now)
    assert await null.banned() == {say.key("192.0.2.7"): 1.0, say.key("192.0.2.8"): 11.0}
    null.advance(1)
    assert await null.banned() == {say.key("192.0.2.8"): 10.0}


async def test_what_is_over_does_not_pile_up(null, say):
    """A dry run of months remembers what is banned now, not what ever was."""
    for number in range(20):
        null.advance(1)
        bans = [say.ban(f"10.0.{number}.{last}", number + 1.5) for last in range(256)]
        await null.ban(bans, say.now + number + 1)
    assert len(null._until) <= 2048


async def test_teardown(null, say):
    """Nothing is left; that, and closing, can be said twice."""
    await null.setup([say.jail()])
    await null.ban([say.ban("192.0.2.7")], say.now)
    for _ in range(2):
        await null.teardown()
        await null.close()
    assert (await null.banned(), null.jails, null.name, null.notes) == ({}, (), "null", ())


async def test_present_is_what_was_set_up(null, say):
    """Nothing is there before the first setup."""
    assert await null.present([say.jail()]) == frozenset()
    await null.setup([say.jail()])
    assert await null.present([say.jail(), say.jail("other")]) == {"sshd"}
