"""Chooses a firewall, and finds out at once whether this host can have it."""

import os
import shutil
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from banwatch.config.model import FirewallSpec
from banwatch.errors import FirewallError
from banwatch.firewall.base import Firewall
from banwatch.firewall.events import RuleEvents
from banwatch.firewall.ipset import IpsetFirewall
from banwatch.firewall.iptables import Tables
from banwatch.firewall.null import NullFirewall
from banwatch.firewall.refusal import RIGHTS, refusal
from banwatch.firewall.sets import KernelSets

_RIGHTS = ((12, "CAP_NET_ADMIN"), (13, "CAP_NET_RAW"))
"""By their bits; iptables wants both, nftables the first."""
_PROGRAMS = {4: ("iptables", "iptables-restore"), 6: ("ip6tables", "ip6tables-restore")}
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"  # not in the PATH of everybody


async def open_firewall(spec: FirewallSpec, dry_run: bool = False) -> Firewall:
    """
    The firewall that `spec` asks for, ready for `setup`; the null one in a dry run. `auto` is ipset where this host has it with
    an iptables that works, else nftables, whose `notes` then say why.

    Raises:
        FirewallError: what is missing, and how to get it.
    """
    if dry_run or spec.backend == "null":
        return NullFirewall()
    if spec.backend == "ipset":
        return await _open_ipset()
    if spec.backend == "nftables":
        return await _open_nftables()
    try:
        return await _open_ipset(try_iptables=True)
    except FirewallError as error:
        without = error
    try:
        return await _open_nftables([f"no ipset, so it is nftables: {without.message}"])
    except FirewallError as error:
        if error.hint == without.hint:
            raise without from error  # both lack the same
        raise FirewallError(f"{without.message}; {error.message}", f"{without.hint}; or {error.hint}") from error


async def _open_ipset(try_iptables: bool = False) -> IpsetFirewall:
    tables, lacking = find_tables(_find_program, _has_ipv6())
    _demand_rights(_RIGHTS)
    if try_iptables:
        await tables[4].read()
    kernel = await KernelSets().open(tuple(tables))
    try:
        told = [await each.tells_changes() for each in tables.values()]
        return IpsetFirewall(kernel, tables, lacking, RuleEvents().open() if all(told) else None)
    except OSError as error:
        kernel.close()
        raise refusal("word of changes cannot be had", error) from error
    except FirewallError:
        kernel.close()
        raise


async def _open_nftables(lacking: Sequence[str] = ()) -> Firewall:
    # here, because where there is ipset it would be 10 modules and 0.4 MB for nothing
    from banwatch.firewall.nft import Nft
    from banwatch.firewall.nft_link import Link
    from banwatch.firewall.nftables import NftablesFirewall

    nft = _find_program("nft")
    if nft is None:
        raise FirewallError("nft: not found", "apt-get install nftables")
    _demand_rights(_RIGHTS[:1])
    return NftablesFirewall(await Link().open(), Nft(nft), lacking)


def _demand_rights(needed: Sequence[tuple[int, str]]) -> None:
    if missing := missing_rights(Path("/proc/self/status"), needed):
        raise FirewallError(f"missing rights: {', '.join(missing)}", RIGHTS)


def find_tables(find: Callable[[str], str | None], ipv6: bool) -> tuple[Mapping[int, Tables], list[str]]:
    """
    The tables by family, and what is done without.

    Args:
        find: name of a program → its path, None if there is none.
        ipv6: whether the kernel has it.
    Raises:
        FirewallError: there is not even iptables.
    """
    tables: dict[int, Tables] = {}
    lacking: list[str] = []
    for family, names in _PROGRAMS.items():
        if family == 6 and not ipv6:
            lacking.append("this host has no IPv6")
            continue
        command, restore = (find(name) for name in names)
        if command and restore:
            tables[family] = Tables(command, restore)
            continue
        missing = " and ".join(name for name in names if find(name) is None)
        if family == 4:
            raise FirewallError(f"{missing}: not found", "apt-get install iptables")
        lacking.append(f"{missing}: not found, so IPv6 is not covered (apt-get install iptables)")
    return tables, lacking


def missing_rights(status: Path, needed: Sequence[tuple[int, str]] = _RIGHTS) -> list[str]:
    """The capabilities of `needed` that `status` (of proc(5)) does not have; empty where there is no telling."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return []
    for line in lines:
        if line.startswith("CapEff:"):
            effective = int(line.split()[1], 16)
            return [name for bit, name in needed if not effective >> bit & 1]
    return []


def _find_program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_SBIN}")


def _has_ipv6() -> bool:
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()
    except OSError:
        return False
    return True
