"""firewall/sets.py: the kernel's sets by name. What fills them is tested in test_ipset.py."""

import errno

import pytest

from banwatch.errors import FirewallError
from banwatch.firewall.sets import KernelSets

pytestmark = pytest.mark.kernel


@pytest.fixture
async def sets(netns):
    """The sets of a namespace of its own."""
    opened = await KernelSets().open((4, 6))
    yield opened
    opened.close()


async def test_headers_are_of_everybody(sets, say):
    """Whoever made a set, it is told with its type, family and size."""
    assert await sets.headers() == {}
    await sets.create("ours", 6)
    say.run("ipset", "create", "theirs", "hash:ip", "family", "inet")
    say.run("ipset", "add", "theirs", "192.0.2.7")
    found = {name: (header.type, header.family, header.elements) for name, header in (await sets.headers()).items()}
    assert found == {"ours": ("hash:net", 6, 0), "theirs": ("hash:ip", 4, 1)}


async def test_a_listing_tells_every_element(sets, say):
    """Address, seconds left, and what it has matched."""
    say.run("ipset", "create", "x", "hash:net", "timeout", "0", "counters")
    say.run("ipset", "add", "x", "192.0.2.0/24", "timeout", "0", "packets", "3", "bytes", "120")
    found = {}
    await sets.list("x", found.__setitem__)
    assert found == {"192.0.2.0/24": (None, 3, 120)}


async def test_what_is_not_there(sets):
    """A set that is gone is told as such by a listing; destroyed already is what was wanted."""
    with pytest.raises(FirewallError, match="listing the set x: the set is gone") as caught:
        await sets.list("x", print)
    assert caught.value.errno == errno.ENOENT
    assert await sets.destroy("x") is True


async def test_made_meanwhile(sets, say):
    """A set of that name which somebody made first is no set of ours."""
    say.run("ipset", "create", "x", "hash:ip")
    with pytest.raises(FirewallError, match="creating the set x: a set of that name was made meanwhile") as caught:
        await sets.create("x", 4)
    assert caught.value.errno == errno.EEXIST


async def test_not_destroyed_while_a_rule_refers_to_it(sets, say, monkeypatch):
    """It stays, and that is told."""
    monkeypatch.setattr("banwatch.firewall.sets._CLEARING", (0.0, 0.01))
    await sets.create("x", 4)
    say.run("iptables", "-A", "INPUT", "-m", "set", "--match-set", "x", "src", "-j", "DROP")
    assert await sets.destroy("x") is False
    assert list(await sets.headers()) == ["x"]


async def test_closed(sets):
    """After close nobody is spoken to, and close again is fine."""
    sets.close()
    sets.close()
    with pytest.raises(FirewallError, match="listing the sets"):
        await sets.headers()
