"""firewall/nft_members.py: what the real kernel makes of elements that are added, renewed, taken out and listed."""

import errno

import pytest

from banwatch.errors import FirewallError
from banwatch.firewall import nft_members
from banwatch.firewall.elements import Member
from banwatch.firewall.nft_elements import encode_keys
from banwatch.firewall.nft_members import KernelMembers
from banwatch.firewall.nft_wire import encode_add, encode_del, encode_list
from banwatch.host.netlink import NetlinkError

pytestmark = pytest.mark.kernel


def ip(low, high=0):
    return bytes((10, 0, high, low))


@pytest.fixture
def members(link):
    return KernelMembers(link)


async def everything(members):
    """What the kernel knows of each member of the set `s`."""
    return await members.list_all("s", 32, lambda member: member)


async def test_add(members):
    """What is added has its timeout in milliseconds, 0 being for ever, and has counted nothing."""
    await members.add("s", [(ip(1), 60_000), (ip(2), 0), (ip(3), 1_500)])
    found = await everything(members)
    assert found.keys() == {"10.0.0.1", "10.0.0.2", "10.0.0.3"}
    assert found["10.0.0.2"] == Member(None, 0, 0)
    assert 59 < found["10.0.0.1"].left <= 60
    assert 0.5 < found["10.0.0.3"].left <= 1.5


@pytest.mark.parametrize("count", [1, 200])
async def test_renew(members, say, count):
    """One or many, what is there gets its new timeout and keeps what it has counted, and what is new is added."""
    say.run("nft", "add element inet banwatch s { 10.0.0.0 counter packets 5 bytes 300 timeout 50s }")
    await members.add("s", [(ip(0), 600_000), *((ip(low), 0) for low in range(1, count))])
    found = await everything(members)
    assert 599 < found.pop("10.0.0.0").left <= 600
    assert found == {f"10.0.0.{low}": Member(None, 0, 0) for low in range(1, count)}
    await members.add("s", [(ip(0), 0)])
    assert (await everything(members))["10.0.0.0"] == Member(None, 5, 300)
    listed = say.run("nft", "list", "set", "inet", "banwatch", "s")
    assert "10.0.0.0 counter packets 5 bytes 300" in listed


async def test_many_that_are_there_are_looked_for_first(members):
    """After some were there the next are not added on the chance that they are new: the kernel would stand still each time."""
    some, more = [(ip(low), 0) for low in range(100)], [(ip(low, 1), 0) for low in range(100)]
    for elements, expecting in ((some, True), (some, False), (some, False), (more, True), (more, False)):
        await members.add("s", elements)
        assert members._expecting_new is expecting
    assert len(await everything(members)) == 200


async def test_delete(members):
    """Those that are there go, those that are not are no reason to keep them."""
    await members.add("s", [(ip(1), 60_000), (ip(2), 0), (ip(3), 0)])
    await members.delete("s", [(ip(9), 0), (ip(1), 0), (ip(2), 0)])
    assert (await everything(members)).keys() == {"10.0.0.3"}
    await members.delete("s", [(ip(9), 0)])
    assert (await everything(members)).keys() == {"10.0.0.3"}


async def test_a_set_that_is_not_there(members):
    """It is told as such, whatever is wanted of it."""
    for verb in (members.add, members.delete):
        for count in (1, 100):
            with pytest.raises(NetlinkError) as caught:
                await verb("t", [(ip(low), 0) for low in range(count)])
            assert caught.value.errno == errno.ENOENT
    with pytest.raises(FirewallError, match="listing the set t: the set is gone"):
        await members.list_all("t", 32, lambda member: member)


async def test_all_or_nothing(members):
    """A transaction of which one part is refused has changed nothing."""
    await members.add("s", [(ip(1), 0)])
    with pytest.raises(NetlinkError) as caught:
        await members._change(encode_add("s", encode_keys([ip(2)])), encode_del("s", encode_keys([ip(1), ip(3)])))
    assert caught.value.errno == errno.ENOENT
    assert (await everything(members)).keys() == {"10.0.0.1"}


async def test_an_element_whose_time_ends_at_this_very_moment(members, monkeypatch):
    """A deletion that comes too late is tried again, with a bound, and is not taken for a set that is gone; others are not."""
    refusals = [errno.ENOENT, errno.ENOENT]
    asked = []
    request_all = members._link.writing.request_all

    async def refuse(requests, each=None):
        asked.append(len(requests))
        return {2: NetlinkError(refusals.pop())} if refusals else await request_all(requests, each)

    monkeypatch.setattr(members._link.writing, "request_all", refuse)
    await members.delete("s", [(ip(1), 0)])
    assert asked == [4, 4, 4]
    for number, times, told in ((errno.ENOENT, 3, errno.EAGAIN), (errno.ENOMEM, 1, errno.ENOMEM)):
        refusals, asked = [number] * 9, []
        with pytest.raises(NetlinkError) as caught:
            await members.delete("s", [(ip(1), 0)])
        assert (caught.value.errno, len(asked)) == (told, times)


@pytest.mark.parametrize("tells_size", [True, False])
async def test_a_listing_while_the_set_changes(members, say, monkeypatch, tells_size):
    """
    Nobody is left out who was there before and after. The kernel goes on by counting to where it was, and so passes over
    others when the first are taken out; where it does not tell how many there should be, it is asked again in any case.
    """
    if not tells_size:
        monkeypatch.setattr("banwatch.firewall.nft_wire._SET_COUNT", 99)
    for high in range(4):
        await members.add("s", [(ip(low, high), 0) for low in range(256)])
    request, heard = members._link.reading.request, []

    async def disturbed(asked, each=None):
        if asked == encode_list("s"):
            heard.append(set())
        await request(asked, each)

    monkeypatch.setattr(members._link.reading, "request", disturbed)
    decode = nft_members.decode_members

    def listen(payload, bits):
        found = list(decode(payload, bits))
        if len(heard) == 1 and not heard[0]:
            out.extend(who for who, _ in found[:5])
            say.run("nft", f"delete element inet banwatch s {{ {', '.join(out)} }}")
        heard[-1].update(who for who, _ in found)
        return found

    out = []
    monkeypatch.setattr(nft_members, "decode_members", listen)
    found = await everything(members)
    everybody = {f"10.0.{high}.{low}" for high in range(4) for low in range(256)}
    assert found.keys() == everybody
    assert len(out) == 5
    assert len(heard) > 1
