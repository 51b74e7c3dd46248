"""The position of a source, of all its files."""

from dataclasses import dataclass, field

from banwatch.model import Position
from banwatch.sources.opened import Identity
from banwatch.sources.whole import OLDER, position_of


@dataclass
class File:
    """What a source's position needs to know of a file."""

    inode: int
    offsets: tuple[int, ...] = ()
    is_under_way: bool = False

    @property
    def identity(self):
        return Identity(1, self.inode)

    def places(self):
        return tuple(Position(1, self.inode, offset, "h", "t", 5.0) for offset in self.offsets)


@dataclass(eq=False)
class One:
    """A file that is followed."""

    file: File
    waits_for: set = field(default_factory=set)


def position(followed, retired=(), lead=None):
    """(inode, offset) of the whole, and of the older ones."""
    whole = position_of(followed, retired, lead, 9.0)
    return (whole.inode, whole.offset), [(place.inode, place.offset) for place in whole.older]


def test_of_one_file():
    """Its place; with the content that it lost before."""
    assert position(One(File(1, (10,)))) == ((1, 10), [])
    assert position(One(File(1, (99, 10)))) == ((1, 10), [(1, 99)])


def test_of_a_file_that_was_not_begun():
    """That it stood there, and when."""
    assert position_of(One(File(1)), (), None, 9.0) == Position(1, 1, 0, at=9.0)


def test_with_rotated_files():
    """Whichever of them was read just now: the last that was begun, and those before it in their order."""
    old, older, lead = One(File(1, (10,))), One(File(2, (20,))), One(File(3, (30,)))
    for followed in (old, older, lead):
        assert position(followed, (old, older), lead) == ((3, 30), [(1, 10), (2, 20)])
    unread = One(File(4))
    assert position(old, (old, older), unread) == ((2, 20), [(1, 10)])
    assert position(old, (old, older), None) == ((2, 20), [(1, 10)])


def test_a_rotated_file_that_was_empty():
    """May have a late writer; it is known by its inode."""
    empty, lead = One(File(1)), One(File(2, (20,)))
    assert position(lead, (empty,), lead) == ((2, 20), [(1, 0)])
    assert position_of(empty, (empty,), One(File(2)), 9.0) == Position(1, 1, 0, at=9.0)


def test_a_line_under_way_in_a_rotated_file():
    """Is to be read whenever the file was written: its time says nothing. That of the log itself does."""
    old, lead = One(File(1, (10,), is_under_way=True)), One(File(2, (20,), is_under_way=True))
    whole = position_of(lead, (old,), lead, 9.0)
    assert (whole.at, whole.older[0].at) == (5.0, 0.0)
    assert position_of(old, (old,), One(File(3)), 9.0).at == 5.0  # the last one is read to its end in any case


def test_it_is_bounded():
    """However many files there are; the newest are kept."""
    retired = [One(File(number, (10,))) for number in range(100)]
    _, older = position(One(File(100, (10,))), retired)
    assert older == [(number, 10) for number in range(100 - OLDER, 100)]
