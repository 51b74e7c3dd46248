"""firewall/nft_table.py: what the real kernel says of our table, and lets go of it."""

import errno

import pytest

from banwatch.errors import FirewallError
from banwatch.firewall.nft_members import KernelMembers
from banwatch.firewall.nft_rules import Standing
from banwatch.firewall.nft_table import KernelTable
from banwatch.firewall.nft_wire import Chain, SetHeader

pytestmark = pytest.mark.kernel


@pytest.fixture
def table(link):
    return KernelTable(link)


async def test_look(table, say):
    """All that stands in our table is seen, in its order; what is in others is not."""
    say.run(
        "nft",
        "-f",
        "-",
        text="""
        add table ip banwatch
        add chain ip banwatch no
        add table inet other
        add chain inet other no
        add set inet other no { type ipv4_addr; }
        add rule inet other no drop comment "no"
        add set inet banwatch ranges { type ipv6_addr; flags interval; }
        add chain inet banwatch input { type filter hook input priority -10; policy accept; }
        add chain inet banwatch later { type filter hook forward priority filter + 5; policy drop; }
        add chain inet banwatch plain
        add rule inet banwatch input iifname "lo" return comment "a"
        add rule inet banwatch input jump plain
        insert rule inet banwatch input drop comment "b"
        """,
    )
    standing = await table.look()
    assert standing.chains == {
        "input": Chain("input", ("filter", 1, -10, 1)),
        "later": Chain("later", ("filter", 2, 5, 0)),
        "plain": Chain("plain"),
    }
    assert standing.rules == {"input": ("b", "a", "")}
    assert {name: header._replace(size=None) for name, header in standing.sets.items()} == {
        "s": SetHeader("s", 4, timeout=True, counters=True),
        "ranges": SetHeader("ranges", 0, timeout=False, counters=False),
    }
    assert not standing.dormant
    say.run("nft", "add table inet banwatch { flags dormant; }")
    assert (await table.look()).dormant


async def test_no_table(link, table, say):
    """Where there is no table nothing stands, and to delete it is nothing."""
    say.run("nft", "delete table inet banwatch")
    assert await table.look() == Standing()
    await table.delete_table()


async def test_closed(link, table):
    """After close there is nobody to speak to, which is an error with what was wanted."""
    link.close()
    with pytest.raises(FirewallError, match="looking at the table: "):
        await table.look()
    with pytest.raises(FirewallError, match="deleting the table: "):
        await table.delete_table()


async def test_what_is_in_use_stays(table, say):
    """A set that a rule looks into, and a chain that a rule leads to, are refused as busy; afterwards they go."""
    say.run(
        "nft",
        "-f",
        "-",
        text="""
        add chain inet banwatch a
        add chain inet banwatch b
        add rule inet banwatch a ip saddr @s jump b
        """,
    )
    for delete in (table.delete_set, table.delete_chain):
        with pytest.raises(FirewallError) as caught:
            await delete("s" if delete == table.delete_set else "b")
        assert caught.value.errno == errno.EBUSY
        assert caught.value.message.endswith(": it is in use")
    for _ in range(2):
        await table.delete_rules("a")
    assert (await table.look()).rules == {}
    for _ in range(2):
        await table.delete_set("s")
        await table.delete_chain("b")
    assert (await table.look()).sets == {}
    assert (await table.look()).chains.keys() == {"a"}


async def test_delete_table(link, table, say):
    """The table goes with all that is in it, and again is fine; others of other families keep theirs."""
    await KernelMembers(link).add("s", [(bytes(4), 0)])
    say.run("nft", "add table ip banwatch")
    await table.delete_table()
    await table.delete_table()
    assert say.run("nft", "list", "tables") == "table ip banwatch\n"
