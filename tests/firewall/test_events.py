"""firewall/events.py: the kernel tells of changed rules."""

import asyncio
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.firewall.events import RuleEvents, tells_of_rules
from banwatch.host.frame import Message, attribute

NEWRULE, NEWSETELEM = 10 << 8 | 6, 10 << 8 | 12


def message(kind, family=socket.AF_INET, table=b"filter\0"):
    return Message(kind, 0, 0, struct.pack(">BBH", family, 0, 1) + attribute(1, table))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (message(NEWRULE), True),
        (message(NEWRULE, socket.AF_INET6), True),
        (message(10 << 8 | 2), True),
        (message(NEWSETELEM), False),
        (message(NEWRULE, table=b"nat\0"), False),
        (message(NEWRULE, 1), False),
        (message(6 << 8 | 6), False),
    ],
    ids=["IPv4", "IPv6", "a table is gone", "an element of a set", "another table", "inet", "ipset"],
)
def test_what_concerns_us(told, expected):
    """Tables, chains and rules of the table filter, in both families, and nothing else."""
    assert tells_of_rules(told) is expected


@given(st.binary(min_size=4))
def test_any_bytes(payload):
    """Whatever comes is about us or not, or is told to be malformed."""
    try:
        assert tells_of_rules(Message(NEWRULE, 0, 0, payload)) in (True, False)
    except ValueError:
        assert len(payload) > 4


@pytest.mark.kernel
@pytest.mark.parametrize("program", ["iptables-nft", "ip6tables-nft"])
async def test_the_kernel_tells(netns, say, program):
    """A new rule, a flush; what was read away is not told again, and rules of other tables are none of our business."""
    events = RuleEvents().open()
    for words in (["-A", "INPUT", "-j", "DROP"], ["-F"], ["-N", "x"], ["-X", "x"]):
        say.run(program, *words)
        async with asyncio.timeout(10):
            await events.changed()
        events.drain()
    say.run(program, "-t", "mangle", "-A", "INPUT", "-j", "DROP")
    waiting = asyncio.create_task(events.changed())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    say.run(program, "-A", "INPUT", "-j", "DROP")
    await asyncio.wait_for(waiting, 10)
    events.close()
    events.close()


@pytest.mark.kernel
async def test_more_than_can_be_kept(netns, say):
    """When the kernel had to leave something out, that counts as a change."""
    events = RuleEvents().open()
    events._netlink._opened().setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    rules = "".join(f"-A OUTPUT -d 192.0.2.{number} -j DROP\n" for number in range(100))
    say.run("iptables-nft-restore", text=f"*mangle\n{rules}COMMIT\n")
    await asyncio.wait_for(events.changed(), 10)
    events.close()


@pytest.mark.kernel
async def test_closed(netns):
    """Who waits at a closed socket is told so."""
    events = RuleEvents().open()
    events.close()
    with pytest.raises(OSError, match="not open"):
        await events.changed()
    events.drain()
