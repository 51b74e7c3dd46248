"""firewall/nft_link.py: a conversation with the real nf_tables."""

import errno

import pytest

from banwatch.errors import FirewallError
from banwatch.firewall.nft_elements import encode_keys
from banwatch.firewall.nft_link import Link
from banwatch.firewall.nft_wire import decode_set, encode_add, encode_del, encode_list, encode_sets
from banwatch.host.netlink import NetlinkError

pytestmark = pytest.mark.kernel

ONE, TWO = (encode_keys([bytes((10, 0, 0, low))]) for low in (1, 2))


async def test_a_question(link):
    """What is told comes one by one; what is not there is an error, or fine."""
    found = []
    await link.ask("listing the sets", encode_sets(), lambda payload: found.append(decode_set(payload).name))
    assert found == ["s"]
    with pytest.raises(FirewallError) as caught:
        await link.ask("listing the set t", encode_list("t"))
    assert (caught.value.message, caught.value.errno) == ("listing the set t: the set is gone", errno.ENOENT)
    await link.ask("listing the set t", encode_list("t"), gone_is_fine=True)


async def test_a_transaction(link):
    """All of it is done or, if one part is refused, nothing; the refusal has its place."""
    assert await link.transact(encode_add("s", ONE)) == {}
    refused = await link.transact(encode_add("s", TWO), encode_del("s", ONE), encode_add("t", ONE))
    assert {place: error.errno for place, error in refused.items()} == {3: errno.ENOENT}
    assert await link.transact(encode_del("s", ONE)) == {}
    assert {place: error.errno for place, error in (await link.transact(encode_del("s", TWO))).items()} == {1: errno.ENOENT}


async def test_what_others_do(link, say):
    """Transactions of others are told from our own, and from those of ours that failed."""
    before = await link.done_by_others()
    await link.transact(encode_add("s", ONE))
    await link.transact(encode_add("s", ONE, only_new=True))
    await link.transact(encode_add("s", ONE), encode_del("s", ONE))
    await link.transact(encode_add("t", ONE))
    assert await link.done_by_others() == before
    say.run("nft", "add chain inet banwatch ours")
    link.count_own()
    assert await link.done_by_others() == before
    say.run("nft", "add table ip else")
    assert await link.done_by_others() == before + 1


async def test_no_rights(netns, monkeypatch):
    """Where it cannot be opened nothing is left open, and what is missing is told."""

    async def refuse(self, request, each=None):
        raise NetlinkError(errno.EPERM)

    monkeypatch.setattr("banwatch.host.netlink.Netlink.request", refuse)
    link = Link()
    with pytest.raises(FirewallError) as caught:
        await link.open()
    assert caught.value.message == "nftables cannot be used: no right to speak to nf_tables (CAP_NET_ADMIN is missing)"
    with pytest.raises(OSError, match="not open"):
        await link.transact(encode_add("s", ONE))


async def test_closed(link):
    """After close, and another, there is nobody to speak to."""
    link.close()
    link.close()
    with pytest.raises(FirewallError, match="listing the sets: "):
        await link.ask("listing the sets", encode_sets(), gone_is_fine=True)
    with pytest.raises(FirewallError, match="asking for the generation: "):
        await link.done_by_others()
