"""Who is at the other end of a unix socket, as the kernel says."""

import socket
import struct
from typing import NamedTuple

_UCRED = struct.Struct("=iII")
_SO_PEERGROUPS = 59
_GROUPS_SIZE = 1024
"""The most that socket.getsockopt takes: 256 supplementary groups."""


class Peer(NamedTuple):
    """A process at the moment it connected; `groups` are its own and its supplementary groups."""

    pid: int
    uid: int
    groups: frozenset[int]

    def may_change(self, uid: int, gid: int | None) -> bool:
        """Whether it is root, the user `uid` (the daemon's own), or in the group `gid`."""
        return self.uid in (0, uid) or (gid is not None and gid in self.groups)


def peer_of(sock: socket.socket) -> Peer:
    """
    The process that connected to `sock`.

    The groups are asked of the kernel and not of the user database: they are those the process really has, and no name
    service can make us wait. Where they cannot be told (more than 256), its own group counts alone.

    Raises:
        OSError: not a connected unix socket.
    Source: unix(7), SO_PEERCRED; Linux include/uapi/asm-generic/socket.h, SO_PEERGROUPS.
    """
    pid, uid, gid = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    try:
        packed = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_SIZE)
    except OSError:
        packed = b""
    return Peer(pid, uid, frozenset((gid, *struct.unpack(f"={len(packed) // 4}I", packed))))
