"""Runs nft: to lay the table, its chains, rules and sets in one transaction, never for a ban."""

from banwatch.firewall.program import run_program
from banwatch.firewall.refusal import NF_MODULES, RIGHTS

_HINTS = (
    ("Operation not permitted", RIGHTS),
    ("Could not process rule: No such file or directory", NF_MODULES),
    ("Operation not supported", NF_MODULES),
    ("syntax error", "nft is too old; 0.9.7 and later are fine"),
)


class Nft:
    """The program; `command` is its path."""

    def __init__(self, command: str) -> None:
        self._command = command

    async def lay(self, text: str) -> None:
        """
        Do what `text` says, all of it or nothing.

        Raises:
            FirewallError: it was refused.
        """
        await run_program(self._command, "-f", "-", text=text, package="nftables", hints=_HINTS)
