"""The table `inet banwatch` in the kernel: who looks at what stands in it, and takes parts of it away. It is laid by nft."""

import errno
from collections.abc import Mapping

from banwatch.firewall.nft_link import Link
from banwatch.firewall.nft_rules import Standing
from banwatch.firewall.nft_wire import (
    Chain,
    SetHeader,
    decode_chain,
    decode_is_dormant,
    decode_rule,
    decode_set,
    encode_chains,
    encode_delete_chain,
    encode_delete_rules,
    encode_delete_set,
    encode_delete_table,
    encode_rules,
    encode_sets,
    encode_table,
)
from banwatch.firewall.refusal import NFTABLES, refusal
from banwatch.host.frame import Request


class KernelTable:
    """
    Args:
        link: open.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def sets(self) -> Mapping[str, SetHeader]:
        """
        The sets of our table by their names; none if there is no table.

        Raises:
            FirewallError: the kernel does not tell.
        """
        sets: dict[str, SetHeader] = {}

        def keep(payload: bytes) -> None:
            if header := decode_set(payload):
                sets[header.name] = header

        await self._link.ask("listing the sets", encode_sets(), keep, gone_is_fine=True)
        return sets

    async def look(self) -> Standing:
        """
        All that stands in our table, but for the elements.

        Raises:
            FirewallError: the kernel does not tell.
        """
        dormant = False
        chains: dict[str, Chain] = {}
        rules: dict[str, dict[bytes, str]] = {}

        def keep_table(payload: bytes) -> None:
            nonlocal dormant
            dormant = decode_is_dormant(payload)

        def keep_chain(payload: bytes) -> None:
            if chain := decode_chain(payload):
                chains[chain.name] = chain

        def keep_rule(payload: bytes) -> None:
            if rule := decode_rule(payload):
                rules.setdefault(rule[0], {})[payload] = rule[1]  # a dump that is taken again tells a rule twice

        await self._link.ask("looking at the table", encode_table(), keep_table, gone_is_fine=True)
        await self._link.ask("listing the chains", encode_chains(), keep_chain)
        await self._link.ask("listing the rules", encode_rules(), keep_rule, gone_is_fine=True)
        found = {chain: tuple(comments.values()) for chain, comments in rules.items()}
        return Standing(await self.sets(), chains, found, dormant)

    async def delete_rules(self, chain: str) -> None:
        """
        Delete the rules of a chain; gone already is fine.

        Raises:
            FirewallError: why not.
        """
        await self._delete(f"deleting the rules of the chain {chain}", encode_delete_rules(chain))

    async def delete_chain(self, name: str) -> None:
        """
        Delete a chain; gone already is fine.

        Raises:
            FirewallError: a rule leads to it.
        """
        await self._delete(f"deleting the chain {name}", encode_delete_chain(name))

    async def delete_set(self, name: str) -> None:
        """
        Delete a set; gone already is fine.

        Raises:
            FirewallError: a rule refers to it.
        """
        await self._delete(f"deleting the set {name}", encode_delete_set(name))

    async def delete_table(self) -> None:
        """
        Delete our table, with all that is in it; gone already is fine.

        Raises:
            FirewallError: why not.
        """
        await self._delete("deleting the table", encode_delete_table())

    async def _delete(self, doing: str, request: Request) -> None:
        try:
            refused = await self._link.transact(request)
        except OSError as error:
            raise refusal(doing, error, NFTABLES) from error
        for reason in refused.values():
            if reason.errno != errno.ENOENT:
                raise refusal(doing, reason, NFTABLES) from reason
