"""
Fingerprints of a log's content, by which it is known again in another inode, or packed.

A place in a file is told by two: of the first bytes, and of the last before it. Each is of KNOWN bytes, of a short file
of as many as there are. Pure.
"""

from hashlib import blake2b

from banwatch.model import Position

KNOWN = 256
"""More than the longest start that two log lines share."""


def fingerprint(data: bytes) -> str:
    return blake2b(data, digest_size=8).hexdigest()


def known(offset: int) -> int:
    """How many bytes the fingerprints of a place are of."""
    return min(offset, KNOWN)


def fits(place: Position, head: bytes, tail: bytes) -> bool:
    """Whether a content that starts with `head`, and has `tail` before the place, is the one that was read there."""
    return fingerprint(head) == place.head and fingerprint(tail) == place.tail
