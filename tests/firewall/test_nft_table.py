"""firewall/nft_table.py: what the real kernel makes of our requests, and says of our table."""

import errno

import pytest

from banwatch.errors import FirewallError
from banwatch.firewall import nft_table
from banwatch.firewall.elements import Member
from banwatch.firewall.nft_elements import encode_keys
from banwatch.firewall.nft_rules import Standing
from banwatch.firewall.nft_table import KernelTable
from banwatch.firewall.nft_wire import Chain, SetHeader, encode_add, encode_del, encode_list
from banwatch.host.netlink import NetlinkError

pytestmark = pytest.mark.kernel

SET = "add set inet banwatch s { type ipv4_addr; flags timeout; counter; }\n"


def ip(low, high=0):
    return bytes((10, 0, high, low))


@pytest.fixture
async def table(netns, say):
    """The kernel's side of a table with one set."""
    say.run("nft", "-f", "-", text="add table inet banwatch\n" + SET)
    opened = await KernelTable().open()
    yield opened
    opened.close()


async def members(table):
    return await table.members("s", 32, lambda member: member)


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


async def test_no_table(netns):
    """Where there is no table nothing stands, and to delete it is nothing."""
    table = await KernelTable().open()
    assert await table.look() == Standing()
    await table.delete_table()
    table.close()


async def test_add(table):
    """What is added has its timeout in milliseconds, 0 being for ever, and has counted nothing."""
    await table.add("s", [(ip(1), 60_000), (ip(2), 0), (ip(3), 1_500)])
    found = await members(table)
    assert found.keys() == {"10.0.0.1", "10.0.0.2", "10.0.0.3"}
    assert found["10.0.0.2"] == Member(None, 0, 0)
    assert 59 < found["10.0.0.1"].left <= 60
    assert 0.5 < found["10.0.0.3"].left <= 1.5


@pytest.mark.parametrize("count", [1, 200])
async def test_renew(table, say, count):
    """One or many, what is there gets its new timeout and keeps what it has counted, and what is new is added."""
    say.run("nft", "add element inet banwatch s { 10.0.0.0 counter packets 5 bytes 300 timeout 50s }")
    await table.add("s", [(ip(0), 600_000), *((ip(low), 0) for low in range(1, count))])
    found = await members(table)
    assert 599 < found.pop("10.0.0.0").left <= 600
    assert found == {f"10.0.0.{low}": Member(None, 0, 0) for low in range(1, count)}
    await table.add("s", [(ip(0), 0)])
    assert (await members(table))["10.0.0.0"] == Member(None, 5, 300)
    listed = say.run("nft", "list", "set", "inet", "banwatch", "s")
    assert "10.0.0.0 counter packets 5 bytes 300" in listed


async def test_many_that_are_there_are_looked_for_first(table):
    """After some were there the next are not added on the chance that they are new: the kernel would stand still each time."""
    some, more = [(ip(low), 0) for low in range(100)], [(ip(low, 1), 0) for low in range(100)]
    for elements, expecting in ((some, True), (some, False), (some, False), (more, True), (more, False)):
        await table.add("s", elements)
        assert table._expecting_new is expecting
    assert len(await members(table)) == 200


async def test_delete(table):
    """Those that are there go, those that are not are no reason to keep them."""
    await table.add("s", [(ip(1), 60_000), (ip(2), 0), (ip(3), 0)])
    await table.delete("s", [(ip(9), 0), (ip(1), 0), (ip(2), 0)])
    assert (await members(table)).keys() == {"10.0.0.3"}
    await table.delete("s", [(ip(9), 0)])
    assert (await members(table)).keys() == {"10.0.0.3"}


async def test_a_set_that_is_not_there(table):
    """It is told as such, whatever is wanted of it."""
    for verb in (table.add, table.delete):
        for count in (1, 100):
            with pytest.raises(NetlinkError) as caught:
                await verb("t", [(ip(low), 0) for low in range(count)])
            assert caught.value.errno == errno.ENOENT
    with pytest.raises(FirewallError, match="listing the set t: the set is gone"):
        await table.members("t", 32, lambda member: member)


async def test_all_or_nothing(table):
    """A transaction of which one part is refused has changed nothing."""
    await table.add("s", [(ip(1), 0)])
    with pytest.raises(NetlinkError) as caught:
        await table._change(encode_add("s", encode_keys([ip(2)])), encode_del("s", encode_keys([ip(1), ip(3)])))
    assert caught.value.errno == errno.ENOENT
    assert (await members(table)).keys() == {"10.0.0.1"}


async def test_an_element_whose_time_ends_at_this_very_moment(table, monkeypatch):
    """A deletion that comes too late is tried again, with a bound; other refusals are not."""
    refusals = [errno.ENOENT, errno.ENOENT]
    asked = []
    request_all = table._writing.request_all

    async def refuse(requests, each=None):
        asked.append(len(requests))
        return {2: NetlinkError(refusals.pop())} if refusals else await request_all(requests, each)

    monkeypatch.setattr(table._writing, "request_all", refuse)
    await table.delete("s", [(ip(1), 0)])
    assert asked == [4, 4, 4]
    for number, times in ((errno.ENOENT, 3), (errno.ENOMEM, 1)):
        refusals, asked = [number] * 9, []
        with pytest.raises(NetlinkError) as caught:
            await table.delete("s", [(ip(1), 0)])
        assert (caught.value.errno, len(asked)) == (number, times)


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


async def test_what_others_do(table, say):
    """Transactions of others are told from our own, and from those of ours that failed or had nothing to do."""
    before = await table.done_by_others()
    await table.add("s", [(ip(low), 0) for low in range(100)])
    await table.add("s", [(ip(low), 0) for low in range(100)])
    await table.delete("s", [(ip(1), 0)])
    with pytest.raises(NetlinkError):
        await table.add("t", [(ip(1), 0)])
    assert await table.done_by_others() == before
    say.run("nft", "add chain inet banwatch ours")
    table.count_own()
    assert await table.done_by_others() == before
    say.run("nft", "add table ip else")
    assert await table.done_by_others() == before + 1


async def test_delete_table(table, say):
    """The table goes with all that is in it, and again is fine; others of other families keep theirs."""
    await table.add("s", [(ip(1), 0)])
    say.run("nft", "add table ip banwatch")
    await table.delete_table()
    await table.delete_table()
    assert say.run("nft", "list", "tables") == "table ip banwatch\n"


@pytest.mark.parametrize("tells_size", [True, False])
async def test_a_listing_while_the_set_changes(table, say, monkeypatch, tells_size):
    """
    Nobody is left out who was there before and after. The kernel goes on by counting to where it was, and so passes over
    others when the first are taken out; where it does not tell how many there should be, it is asked again in any case.
    """
    if not tells_size:
        monkeypatch.setattr("banwatch.firewall.nft_wire._SET_COUNT", 99)
    for high in range(4):
        await table.add("s", [(ip(low, high), 0) for low in range(256)])
    request, heard = table._reading.request, []

    async def disturbed(asked, each=None):
        if asked == encode_list("s"):
            heard.append(set())
        await request(asked, each)

    monkeypatch.setattr(table._reading, "request", disturbed)
    decode = nft_table.decode_members

    def listen(payload, bits):
        found = list(decode(payload, bits))
        if len(heard) == 1 and not heard[0]:
            out.extend(who for who, _ in found[:5])
            say.run("nft", f"delete element inet banwatch s {{ {', '.join(out)} }}")
        heard[-1].update(who for who, _ in found)
        return found

    out = []
    monkeypatch.setattr(nft_table, "decode_members", listen)
    found = await members(table)
    everybody = {f"10.0.{high}.{low}" for high in range(4) for low in range(256)}
    assert found.keys() == everybody
    assert len(out) == 5
    assert len(heard) > 1


async def test_closed(table):
    """After close there is nobody to speak to."""
    table.close()
    table.close()
    with pytest.raises(FirewallError, match="looking at the table"):
        await table.look()
    with pytest.raises(OSError, match="not open"):
        await table.add("s", [(ip(1), 0)])
