"""What the kernel means by an errno of ipset, and what an operator can do about it. Pure."""

import errno
import os
from collections.abc import Mapping

from banwatch.errors import FirewallError

RIGHTS = "run it as root, or give the service CAP_NET_ADMIN and CAP_NET_RAW; --dry-run decides and touches no firewall"
MODULES = "modprobe ip_set_hash_net; on a small kernel install the package with its modules"

# Linux include/uapi/linux/netfilter/ipset/ip_set.h, enum ipset_errno
PROTOCOL, FIND_TYPE, MAX_SETS, BUSY, TYPE_MISMATCH, EXIST = 4097, 4098, 4099, 4100, 4102, 4103
INVALID_CIDR, INVALID_FAMILY, TIMEOUT, REFERENCED, FULL = 4104, 4106, 4107, 4108, 4352

_MEANING: Mapping[int, tuple[str, str]] = {
    errno.EPERM: ("no right to speak to ip_set (CAP_NET_ADMIN is missing)", RIGHTS),
    errno.EINVAL: ("the kernel has no ip_set", MODULES),
    errno.EPROTONOSUPPORT: ("the kernel has no nfnetlink, so no ip_set either", MODULES),
    errno.EAFNOSUPPORT: ("netlink is not to be had here", "the service's RestrictAddressFamilies has to name AF_NETLINK"),
    errno.ENOENT: ("the set is gone", "something has destroyed it; it is laid again within 5 s"),
    errno.EEXIST: ("a set of that name was made meanwhile", ""),
    errno.ENOMEM: ("the kernel has no memory left", ""),
    PROTOCOL: ("the kernel speaks another protocol of ip_set", ""),
    FIND_TYPE: ("the kernel has no sets of type hash:net", MODULES),
    MAX_SETS: ("the kernel has no room for another set", "ipset list -name"),
    BUSY: ("the set is in use", "a rule refers to it; iptables-save | grep match-set"),
    INVALID_CIDR: ("a network of that size cannot be in a set", "/0 is everybody"),
    TIMEOUT: ("the set was made without timeouts", ""),
    REFERENCED: ("the set is in use", "a rule refers to it; iptables-save | grep match-set"),
    FULL: ("the set is full", ""),
}


def number_of(error: OSError) -> int | None:
    """The errno of `error`; None if the kernel said nothing at all."""
    return None if isinstance(error, TimeoutError) else error.errno


def explain(number: int | None) -> str:
    """What `number` means, in a few words."""
    if number is None:
        return "the kernel did not answer"
    known = _MEANING.get(number)
    return known[0] if known else f"{os.strerror(number)} (errno {number})"


def advise(number: int | None) -> str:
    """What to do about `number`; empty where there is no saying."""
    return _MEANING.get(number or 0, ("", ""))[1]


def refusal(doing: str, error: OSError) -> FirewallError:
    """`error`, which came while `doing` something ("creating the set x"), as what an operator gets to see."""
    number = number_of(error)
    return FirewallError(f"{doing}: {explain(number)}", advise(number), number)
