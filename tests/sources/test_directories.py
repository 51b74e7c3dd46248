"""Watches on directories."""

import errno

import pytest

from banwatch.sources.base import Event
from banwatch.sources.directories import Directories


@pytest.fixture
def directories(hand):
    return Directories(hand)


def test_one_watch_for_all_names_of_a_directory(hand, directories):
    """Events about wanted names, or about the directory itself, concern somebody; others do not."""
    directories.begin()
    directories.want("/a", "x")
    directories.want("/a", "*.log")
    directories.settle()
    watch = hand.directories["/a"]
    answers = {name: directories.concerns(Event(watch, name)) for name in ("x", "y", "z.log", ".z.log", "")}
    assert answers == {"x": True, "y": False, "z.log": True, ".z.log": False, "": True}
    assert not directories.concerns(Event(watch + 1, "x"))


def test_what_is_not_wanted_any_more_is_let_go_of(hand, directories):
    """Each look starts from nothing; what it wants again keeps its watch."""
    directories.begin()
    directories.want("/a", "x")
    directories.want("/b", "y")
    directories.settle()
    before = dict(hand.directories)
    directories.begin()
    directories.want("/b", "z")
    directories.settle()
    assert hand.directories == {"/b": before["/b"]}
    assert not directories.concerns(Event(before["/b"], "y"))


def test_two_names_of_one_directory_share_its_watch(hand, directories):
    """Bind mounts: the kernel has one watch, which is about the names wanted under either path."""
    hand.directories = {"/a": 7, "/b": 7}
    directories.begin()
    directories.want("/a", "x")
    directories.want("/b", "y")
    directories.settle()
    assert directories.concerns(Event(7, "x"))
    assert directories.concerns(Event(7, "y"))


@pytest.mark.parametrize(("number", "unwatched"), [(errno.EACCES, True), (errno.ENOSPC, True), (errno.ENOENT, False)])
def test_what_cannot_be_watched_is_remembered(hand, directories, number, unwatched):
    """Unless it has just gone: then its parent will tell."""
    hand.refuse = number
    directories.begin()
    directories.want("/a", "x")
    directories.want("/a", "y")
    directories.settle()
    assert directories.unwatched == ({"/a": number} if unwatched else {})
    hand.refuse = 0
    directories.begin()
    directories.want("/a", "x")
    assert directories.unwatched == {}
