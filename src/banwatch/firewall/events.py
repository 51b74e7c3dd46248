"""
Word from the kernel that rules of iptables were changed, by whom ever, where iptables is made of nf_tables.

It comes unasked over a multicast group of netlink, so that nobody has to look again and again.
Source: Linux include/uapi/linux/netfilter/nfnetlink.h, nf_tables.h; net/netfilter/nf_tables_api.c: nf_tables_rule_notify.
"""

import socket
from contextlib import suppress
from errno import ENOBUFS
from typing import Self

from banwatch.host.frame import Message, attributes, decode_messages
from banwatch.host.netlink import NETLINK_NETFILTER, Netlink

SETTLE_SECONDS = 0.2
"""From a change to the look at it: a restore changes hundreds of rules at once."""

QUIET_SECONDS = 1.0
"""From one look to the next: rules that change all the time are not looked at more often."""

_GROUP = 1 << 7 - 1  # NFNLGRP_NFTABLES
_SUBSYSTEM = 10
_KINDS = frozenset({0, 2, 3, 5, 6, 8})  # a table, a chain or a rule is new or gone; sets and their elements are left out
_FAMILIES = frozenset({socket.AF_INET, socket.AF_INET6})
_TABLE = 1  # the table's name, in all of these messages
_NFGEN_SIZE = 4


def tells_of_rules(message: Message) -> bool:
    """Whether `message` is about the table `filter` of iptables, of either family."""
    if message.type >> 8 != _SUBSYSTEM or message.type & 0xFF not in _KINDS or message.payload[0] not in _FAMILIES:
        return False
    return any(kind == _TABLE and value == b"filter\0" for kind, value in attributes(message.payload, _NFGEN_SIZE))


class RuleEvents:
    """The group's socket, in the namespace of the thread that opens it. Building it opens nothing."""

    def __init__(self) -> None:
        self._netlink = Netlink(NETLINK_NETFILTER, _GROUP)

    def open(self) -> Self:
        """
        Join the group.

        Raises:
            OSError: this kernel has no nfnetlink, or rights are missing.
        """
        self._netlink.open()
        return self

    def close(self) -> None:
        """Leave it; again is fine."""
        self._netlink.close()

    async def changed(self) -> None:
        """
        Return when rules were changed since the last time, or may have been.

        Raises:
            OSError: the socket failed.
        """
        while True:
            try:
                if any(map(tells_of_rules, decode_messages(await self._netlink.receive()))):
                    return
            except OSError as error:
                if error.errno != ENOBUFS:
                    raise
                return  # more than the socket holds: what was lost may be about us

    def drain(self) -> None:
        """Forget what has come: whoever looks now sees it all."""
        with suppress(OSError):
            self._netlink.drain()
