"""
This host's own addresses and the IPv6 networks it is on, and word of their changes, over rtnetlink.

Own addresses are never banned; neighbours on an IPv6 network of ours are told apart by their whole address, because there
a /64 is everybody.
Source: Linux include/uapi/linux/if_addr.h; rtnetlink(7).
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv6Address, IPv6Network
from struct import Struct
from typing import NamedTuple, Self

from banwatch.address import render_network, unpack
from banwatch.host.frame import NLM_F_DUMP, NLM_F_REQUEST, Request, attributes
from banwatch.host.netlink import NETLINK_ROUTE, Netlink

_RTM_GETADDR = 22
_GROUPS = 0x10 | 0x100  # RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR
_IFADDRMSG = Struct("=BBBBI")
_IFA_ADDRESS, _IFA_LOCAL = 1, 2

SETTLE_SECONDS = 0.1
"""From a change to the look at it; changes come in swarms, as when an interface gets its addresses."""

_AGAIN_SECONDS = 1.0

_ALWAYS = frozenset({"127.0.0.0/8", "::1"})
_SIZES = (4, 16)


class HostAddresses(NamedTuple):
    """`own`: canonical texts, 127.0.0.0/8 among them. `onlink`: IPv6 networks in canonical text, link-local ones left out."""

    own: frozenset[str]
    onlink: frozenset[str]


UNKNOWN = HostAddresses(_ALWAYS, frozenset())
"""What is left where the kernel does not tell."""


class HostAddress(NamedTuple):
    """An address of an interface, and its IPv6 network if that says anything about neighbours."""

    ip: str
    onlink: str | None


def decode_address(payload: bytes) -> HostAddress | None:
    """
    The address in an RTM_NEWADDR message; None if it holds none.

    On a point-to-point link IFA_ADDRESS is the other end, and IFA_LOCAL is ours; elsewhere they are the same, or IPv6
    leaves IFA_LOCAL out.

    Raises:
        ValueError: an attribute is longer, or shorter, than it can be.
    """
    if len(payload) < _IFADDRMSG.size:
        return None
    _, prefixlen, *_ = _IFADDRMSG.unpack_from(payload)
    found = dict(attributes(payload, _IFADDRMSG.size))
    local = found.get(_IFA_LOCAL, found.get(_IFA_ADDRESS, b""))
    if len(local) not in _SIZES:
        return None
    return HostAddress(unpack(local, 8 * len(local)), _network(found.get(_IFA_ADDRESS, local), prefixlen))


def _network(address: bytes, prefixlen: int) -> str | None:
    if len(address) == 4 or prefixlen >= 128 or (ip := IPv6Address(address)).is_link_local:
        return None
    return render_network(IPv6Network((int(ip), prefixlen), strict=False))


async def read_addresses() -> HostAddresses:
    """
    What the interfaces have now.

    Raises:
        OSError: the kernel does not tell.
    """
    with Netlink(NETLINK_ROUTE) as netlink:
        return await _read(netlink)


async def _read(netlink: Netlink) -> HostAddresses:
    found: list[HostAddress] = []

    def keep(payload: bytes) -> None:
        if (address := decode_address(payload)) is not None:
            found.append(address)

    await netlink.request(Request(_RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, _IFADDRMSG.pack(0, 0, 0, 0, 0)), keep)
    return HostAddresses(
        own=_ALWAYS | {address.ip for address in found},
        onlink=frozenset(address.onlink for address in found if address.onlink is not None),
    )


class AddressWatch:
    """
    Knows the host's addresses while it is entered, and says when they have changed.

    Args:
        changed: called with the new `own` and `onlink`; not for what is the same as before, as when an address is only
            confirmed by its router.
    """

    current: HostAddresses

    def __init__(self, changed: Callable[[frozenset[str], frozenset[str]], None]) -> None:
        self._changed = changed
        self._events = Netlink(NETLINK_ROUTE, _GROUPS)
        self._asking = Netlink(NETLINK_ROUTE)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        try:
            self._events.open()  # before the first look, so that nothing falls in between
            self._asking.open()
            self.current = await _read(self._asking)
        except BaseException:
            self._close()
            raise
        self._task = asyncio.create_task(self._watch(), name="addresses")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._close()

    async def _watch(self) -> None:
        while True:
            with suppress(OSError):  # ENOBUFS: more changes than the socket holds; one look tells them all
                await self._events.receive()
            await asyncio.sleep(SETTLE_SECONDS)
            with suppress(OSError):
                self._events.drain()
            now = await self._look()
            if now != self.current:
                self.current = now
                self._changed(now.own, now.onlink)

    async def _look(self) -> HostAddresses:
        while True:
            try:
                return await _read(self._asking)
            except OSError:
                await asyncio.sleep(_AGAIN_SECONDS)

    def _close(self) -> None:
        self._events.close()
        self._asking.close()
