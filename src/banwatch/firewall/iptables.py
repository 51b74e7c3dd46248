"""
Runs iptables and iptables-restore: to lay, look at and take away rules, never for a ban.

Both know the set match as a plug-in that opens a raw socket, so that even `-S` needs CAP_NET_RAW.
"""

from banwatch.firewall.program import run_program
from banwatch.firewall.refusal import RIGHTS
from banwatch.firewall.rules import Listing, read_listing

LOCK_SECONDS = 5
"""How long to wait for others that change rules at the moment."""

_HINTS = (
    ("you must be root", RIGHTS),
    ("Operation not permitted", RIGHTS),
    ("socket to ipset", RIGHTS),
    ("xtables.lock: Permission denied", "let the service write /run/xtables.lock, or use iptables-nft, which needs none"),
    ("holding the xtables lock", "another program changes rules for a long time; try again"),
    ("missing kernel module", "modprobe xt_set xt_multiport ipt_REJECT ip6t_REJECT"),
    ("Couldn't load match", "the plug-in is part of the package iptables: apt-get install iptables"),
    ("No chain/target/match by that name", "modprobe xt_set xt_multiport ipt_REJECT ip6t_REJECT"),
    ("Table does not exist", "modprobe ip_tables iptable_filter ip6table_filter"),
    ("use 'nft' tool", "the table `filter` holds rules that nft made and iptables cannot read: nft list table ip filter"),
)


class Tables:
    """The rules of one family; `command` and `restore` are paths of iptables and iptables-restore, or ip6tables'."""

    def __init__(self, command: str, restore: str) -> None:
        self._command = command
        self._restore = restore

    async def read(self) -> Listing:
        """
        What stands there of us.

        Raises:
            FirewallError: iptables cannot tell.
        """
        return read_listing(await _run(self._command, "-w", str(LOCK_SECONDS), "-S"))

    async def tells_changes(self) -> bool:
        """Whether the kernel tells of changes of the rules: it does for iptables that is made of nf_tables."""
        return "nf_tables" in await _run(self._command, "--version")

    async def restore(self, text: str | None) -> None:
        """
        Apply `text` in one transaction; None is nothing to do.

        Raises:
            FirewallError: it was refused, all of it.
        """
        if text is not None:
            await _run(self._restore, "-w", str(LOCK_SECONDS), "--noflush", text=text)


async def _run(*argv: str, text: str | None = None) -> str:
    return await run_program(*argv, text=text, package="iptables", hints=_HINTS)
