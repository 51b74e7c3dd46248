"""What the kernel means by an errno of ipset, or of nf_tables, and what an operator can do about it. Pure."""

import errno
import os
from collections.abc import Mapping

from banwatch.errors import FirewallError
from banwatch.model import Target

RIGHTS = "run it as root, or give the service CAP_NET_ADMIN and CAP_NET_RAW; --dry-run decides and touches no firewall"
MODULES = "modprobe ip_set_hash_net; on a small kernel install the package with its modules"
NF_MODULES = "modprobe nf_tables; on a small kernel install the package with its modules"

# Linux include/uapi/linux/netfilter/ipset/ip_set.h, enum ipset_errno
PROTOCOL, FIND_TYPE, MAX_SETS, BUSY, TYPE_MISMATCH, EXIST = 4097, 4098, 4099, 4100, 4102, 4103
INVALID_CIDR, INVALID_FAMILY, TIMEOUT, REFERENCED, FULL = 4104, 4106, 4107, 4108, 4352

Meanings = Mapping[int, tuple[str, str]]
"""By errno what it means, and what to do about it; empty where there is no saying."""

_FOR_ALL: Meanings = {
    errno.EAFNOSUPPORT: ("netlink is not to be had here", "the service's RestrictAddressFamilies has to name AF_NETLINK"),
    errno.EEXIST: ("a set of that name was made meanwhile", ""),
    errno.ENOMEM: ("the kernel has no memory left", ""),
    errno.ENOENT: ("the set is gone", "something has destroyed it; it is laid again within 5 s"),
    INVALID_CIDR: ("a network of that size cannot be in a set", "/0 is everybody"),
}
IPSET: Meanings = {
    **_FOR_ALL,
    errno.EPERM: ("no right to speak to ip_set (CAP_NET_ADMIN is missing)", RIGHTS),
    errno.EINVAL: ("the kernel has no ip_set", MODULES),
    errno.EPROTONOSUPPORT: ("the kernel has no nfnetlink, so no ip_set either", MODULES),
    PROTOCOL: ("the kernel speaks another protocol of ip_set", ""),
    FIND_TYPE: ("the kernel has no sets of type hash:net", MODULES),
    MAX_SETS: ("the kernel has no room for another set", "ipset list -name"),
    BUSY: ("the set is in use", "a rule refers to it; iptables-save | grep match-set"),
    TIMEOUT: ("the set was made without timeouts", ""),
    REFERENCED: ("the set is in use", "a rule refers to it; iptables-save | grep match-set"),
    FULL: ("the set is full", ""),
}
NFTABLES: Meanings = {
    **_FOR_ALL,
    errno.EPERM: ("no right to speak to nf_tables (CAP_NET_ADMIN is missing)", RIGHTS),
    errno.EINVAL: ("the kernel has no nf_tables", NF_MODULES),
    errno.EOPNOTSUPP: ("the kernel has no nf_tables", NF_MODULES),
    errno.EPROTONOSUPPORT: ("the kernel has no nfnetlink, so no nf_tables either", NF_MODULES),
    errno.EBUSY: ("it is in use", "a rule refers to it; nft list table inet banwatch"),
}


def number_of(error: OSError) -> int | None:
    """The errno of `error`; None if the kernel said nothing at all."""
    return None if isinstance(error, TimeoutError) else error.errno


def explain(number: int | None, of: Meanings = IPSET) -> str:
    """What `number` means, in a few words."""
    if number is None:
        return "the kernel did not answer"
    known = of.get(number)
    return known[0] if known else f"{os.strerror(number)} (errno {number})"


def advise(number: int | None, of: Meanings = IPSET) -> str:
    """What to do about `number`; empty where there is no saying."""
    return of.get(number or 0, ("", ""))[1]


def refusal(doing: str, error: OSError, of: Meanings = IPSET) -> FirewallError:
    """`error`, which came while `doing` something ("creating the set x"), as what an operator gets to see."""
    number = number_of(error)
    return FirewallError(f"{doing}: {explain(number, of)}", advise(number, of), number)


def refuse_some(doing: str, failed: Mapping[tuple[str, Target], str], number: int | None, of: Meanings = IPSET) -> FirewallError:
    """
    That some of many were not "banned", or not "unbanned".

    Args:
        failed: whom it concerns, and why.
        number: the first errno that the kernel gave; None if none of it is its doing.
    """
    (jail, target), why = next(iter(failed.items()))
    more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
    hint = advise(number, of) if why == explain(number, of) else ""
    return FirewallError(f"not {doing}: {target} in {jail} ({why}){more}", hint, number, failed)
