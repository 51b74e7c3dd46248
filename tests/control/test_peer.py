"""Who is at the other end."""

import os
import socket

import pytest

from banwatch.control.peer import Peer, peer_of


def test_the_kernel_tells_who_connected() -> None:
    """A socket pair's peer is this very process, with all its groups."""
    one, other = socket.socketpair()
    with one, other:
        assert peer_of(one) == Peer(os.getpid(), os.geteuid(), frozenset((os.getegid(), *os.getgroups())))


def test_more_groups_than_can_be_told_count_as_none() -> None:
    """With over 256 supplementary groups the process's own group is what counts."""
    if os.geteuid() != 0:
        pytest.skip("needs root: sets groups")
    before = os.getgroups()
    os.setgroups(range(1000, 1300))
    try:
        one, other = socket.socketpair()
    finally:
        os.setgroups(before)
    with one, other:
        assert peer_of(one).groups == frozenset((os.getegid(),))


@pytest.mark.parametrize(
    ("uid", "groups", "allowed"),
    [
        (0, (0,), True),
        (998, (998,), True),
        (1000, (1000, 998), True),
        (1000, (1000, 27), False),
        (65534, (0,), False),
    ],
)
def test_root_the_own_user_and_the_group_may_change(uid: int, groups: tuple[int, ...], allowed: bool) -> None:
    """Nobody else, not even members of root's group."""
    assert Peer(1, uid, frozenset(groups)).may_change(998, 998) is allowed


def test_without_a_group_nobody_is_in_it() -> None:
    """Where the group does not exist only root and the own user are left."""
    assert not Peer(1, 1000, frozenset((1000,))).may_change(998, None)
    assert Peer(1, 998, frozenset((1000,))).may_change(998, None)


def test_what_is_no_unix_socket_has_no_peer() -> None:
    """Another kind of socket is no caller of ours: its credentials are nobody's."""
    with socket.socket(socket.AF_INET) as sock:
        peer = peer_of(sock)
    assert (peer.pid, peer.may_change(998, 998)) == (0, False)
