"""host/netlink.py: one request, one answer, whatever comes between."""

import asyncio
import errno
import socket
import struct

import pytest

from banwatch.host.frame import HEADER, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, Message, Request, decode_messages
from banwatch.host.netlink import NETLINK_ROUTE, Netlink, NetlinkError

GETLINK = Request(18, 0x301, bytes(16))
ASK = Request(99, 5, b"what")
OK = struct.pack("=i", 0)


def message(kind, sequence, payload=OK, flags=0):
    """A message as the kernel would send it."""
    return HEADER.pack(16 + len(payload), kind, flags, sequence, 0) + payload


class Kernel:
    """The other end of a socket pair: hears requests, and answers what the test tells it to."""

    def __init__(self, sock):
        self._socket = sock
        self.heard = []

    async def hear(self) -> Message:
        data = await asyncio.get_running_loop().sock_recv(self._socket, 65536)
        self.heard += list(decode_messages(data))
        return self.heard[-1]

    def say(self, *messages):
        self._socket.send(b"".join(messages))


@pytest.fixture
def pair(monkeypatch):
    """A Netlink whose kernel is the test."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    theirs.setblocking(False)
    ours.setblocking(False)
    netlink = Netlink(12, patience=0.05)
    netlink._socket = ours  # the only seam: what opens a real one is tested below
    with theirs:
        yield netlink, Kernel(theirs)
    netlink.close()


async def test_the_kernel_answers():
    """A dump of the real kernel comes whole, and needs no rights."""
    links = []
    with Netlink(NETLINK_ROUTE) as netlink:
        await netlink.request(GETLINK, links.append)
    assert len(links) == len(socket.if_nameindex())


async def test_the_kernel_refuses():
    """A refusal carries the errno and our own request."""
    with Netlink(NETLINK_ROUTE) as netlink, pytest.raises(NetlinkError) as caught:
        await netlink.request(Request(9999, 5, b"1234"))
    assert caught.value.errno == errno.EOPNOTSUPP
    assert caught.value.reply[20:] == b"1234"


async def test_not_open():
    """What was never opened, or is closed, says so."""
    netlink = Netlink(NETLINK_ROUTE)
    netlink.close()
    with pytest.raises(OSError, match="not open"):
        await netlink.request(GETLINK)


async def test_silence_is_an_error_and_no_answer_to_the_next(pair):
    """A kernel that does not answer is a TimeoutError; the late answer is not taken for that of the next request."""
    netlink, kernel = pair
    with pytest.raises(TimeoutError):
        await netlink.request(ASK)
    late = await kernel.hear()
    kernel.say(message(NLMSG_ERROR, late.sequence))
    asking = asyncio.create_task(netlink.request(ASK))
    heard = await kernel.hear()
    kernel.say(message(NLMSG_ERROR, late.sequence))  # and once more, after the request went out
    kernel.say(message(NLMSG_ERROR, heard.sequence, struct.pack("=i", -errno.EPERM)))
    with pytest.raises(NetlinkError) as caught:
        await asking
    assert caught.value.errno == errno.EPERM


async def test_cancelled(pair):
    """A request that was cancelled leaves nothing behind for the next."""
    netlink, kernel = pair
    netlink._patience = 10
    asking = asyncio.create_task(netlink.request(ASK))
    cancelled = await kernel.hear()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    kernel.say(message(NLMSG_ERROR, cancelled.sequence, struct.pack("=i", -errno.EPERM)))
    asking = asyncio.create_task(netlink.request(ASK))
    kernel.say(message(NLMSG_ERROR, (await kernel.hear()).sequence))
    await asking


@pytest.mark.parametrize("number", [errno.EBUSY, errno.ENOBUFS, errno.EAGAIN, errno.EINTR])
async def test_passing_errors_are_tried_again(pair, monkeypatch, number):
    """What passes by itself is tried again, with a bound."""
    monkeypatch.setattr("banwatch.host.netlink._PAUSES", (0.0, 0.0))
    netlink, kernel = pair

    async def refuse(times):
        for _ in range(times):
            kernel.say(message(NLMSG_ERROR, (await kernel.hear()).sequence, struct.pack("=i", -number)))

    asking = asyncio.create_task(netlink.request(ASK))
    await refuse(2)
    kernel.say(message(NLMSG_ERROR, (await kernel.hear()).sequence))
    await asking
    asking = asyncio.create_task(netlink.request(ASK))
    await refuse(3)
    with pytest.raises(NetlinkError) as caught:
        await asking
    assert caught.value.errno == number
    assert len(kernel.heard) == 6


async def test_an_interrupted_dump_is_taken_again(pair, monkeypatch):
    """A table that changed under the dump is read once more."""
    monkeypatch.setattr("banwatch.host.netlink._PAUSES", (0.0,))
    netlink, kernel = pair
    seen = []
    asking = asyncio.create_task(netlink.request(GETLINK, seen.append))
    sequence = (await kernel.hear()).sequence
    kernel.say(message(16, sequence, b"old!"), message(16, sequence, b"new?", NLM_F_DUMP_INTR))
    kernel.say(message(NLMSG_DONE, sequence))
    sequence = (await kernel.hear()).sequence
    kernel.say(message(16, sequence, b"new!"), message(NLMSG_DONE, sequence))
    await asking
    assert seen == [b"old!", b"new?", b"new!"]


async def test_one_at_a_time(pair):
    """Two requests at once are two conversations, one after the other."""
    netlink, kernel = pair
    first, second = asyncio.create_task(netlink.request(ASK)), asyncio.create_task(netlink.request(GETLINK))
    assert (await kernel.hear()).type == ASK.type
    await asyncio.sleep(0)
    assert len(kernel.heard) == 1
    kernel.say(message(NLMSG_ERROR, kernel.heard[-1].sequence))
    await first
    kernel.say(message(NLMSG_DONE, (await kernel.hear()).sequence))
    await second
    assert [heard.type for heard in kernel.heard] == [ASK.type, GETLINK.type]


async def test_several_in_one_datagram(pair):
    """All go out together, and each answer is told by its place, whatever their order; what is refused is told at the end."""
    netlink, kernel = pair
    told = []
    asking = asyncio.create_task(netlink.request_all([ASK, ASK, ASK], lambda *answer: told.append(answer)))
    await kernel.hear()
    first, second, third = (heard.sequence for heard in kernel.heard)
    kernel.say(message(1, third, b"data"), message(NLMSG_ERROR, third))
    kernel.say(message(NLMSG_ERROR, first, struct.pack("=i", -errno.ENOENT)))
    kernel.say(message(1, second, b"more"), message(NLMSG_ERROR, second))
    assert {place: error.errno for place, error in (await asking).items()} == {0: errno.ENOENT}
    assert told == [(2, b"data"), (1, b"more")]


async def test_one_that_asks_for_no_answer(pair):
    """It is not waited for; if it is refused all the same, none after it was looked at."""
    netlink, kernel = pair
    silent = ASK._replace(flags=1)
    asking = asyncio.create_task(netlink.request_all([silent, ASK, silent]))
    kernel.say(message(NLMSG_ERROR, (await kernel.hear()).sequence - 1))
    assert await asking == {}
    asking = asyncio.create_task(netlink.request_all([silent, ASK, silent]))
    kernel.say(message(NLMSG_ERROR, (await kernel.hear()).sequence - 2, struct.pack("=i", -errno.EPERM)))
    assert {place: error.errno for place, error in (await asking).items()} == {0: errno.EPERM}


async def test_several_are_tried_again_together(pair, monkeypatch):
    """What passes by itself is tried again as a whole, with a bound; then it is told."""
    monkeypatch.setattr("banwatch.host.netlink._PAUSES", (0.0,))
    netlink, kernel = pair
    for answers in ([errno.EBUSY, 0], [errno.EBUSY, errno.EBUSY]):
        asking = asyncio.create_task(netlink.request_all([ASK, ASK]))
        for number in answers:
            last = (await kernel.hear()).sequence
            kernel.say(message(NLMSG_ERROR, last - 1), message(NLMSG_ERROR, last, struct.pack("=i", -number)))
        refused = {place: error.errno for place, error in (await asking).items()}
        assert refused == ({1: errno.EBUSY} if answers[-1] else {})


async def test_sequence_numbers_begin_anew(pair):
    """After the last number comes the first, also between two requests of one datagram."""
    netlink, kernel = pair
    netlink._sequence = 2**32 - 2
    asking = asyncio.create_task(netlink.request_all([ASK, ASK]))
    await kernel.hear()
    assert [heard.sequence for heard in kernel.heard] == [2**32 - 1, 0]
    kernel.say(message(NLMSG_ERROR, 2**32 - 1), message(NLMSG_ERROR, 0))
    assert await asking == {}
