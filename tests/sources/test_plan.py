"""Which rotated files have to be read before a log is gone on with."""

import pytest

from banwatch.model import Position
from banwatch.sources.opened import Identity
from banwatch.sources.plan import Step, plan_rest
from banwatch.sources.rotated import Rotated

AT = 1000.0


def rotated(name, written=AT - 500, ending=""):
    return Rotated(name, name, ending, Identity(1, ord(name)), int(written * 1e9), 100)


def place(name, offset=50, at=AT, older=()):
    """Where reading had come to in the file of this name."""
    return Position(1, ord(name), offset, f"head of {name}" if offset else "", "tail", at, older=older)


def plan(position, *files, is_current=False):
    """(name, offset) of what has to be read; 0 is the start."""
    steps = plan_rest(position, files, lambda one, where: one.identity.inode == where.inode, is_current=is_current)
    return [(step.file.path, step.place.offset if step.place is not None else 0) for step in steps]


def test_the_log_is_what_it_was():
    """Then there is nothing to read of others, whatever there is."""
    assert plan(place("c"), rotated("a"), rotated("b"), is_current=True) == []
    assert plan(place("c")) == []


def test_it_was_rotated():
    """Once, or several times: the rest of the file that was read, then those that came after it, whole."""
    files = [rotated("a"), rotated("b"), rotated("c"), rotated("d")]
    assert plan(place("d"), *files) == [("d", 50)]
    assert plan(place("b"), *files) == [("b", 50), ("c", 0), ("d", 0)]


def test_it_is_gone():
    """Those are read that were written to after the last reading."""
    files = [rotated("a"), rotated("b", AT), rotated("c", AT + 1), rotated("d", AT + 2)]
    assert plan(place("x"), *files) == [("c", 0), ("d", 0)]
    assert plan(place("x", at=0.0), *files) == []  # nobody knows when that was


def test_an_older_one_may_have_more():
    """Before all others and from its own place; a packed one only if it was written to since."""
    older = (place("a", 10), place("b", 20))
    files = [rotated("a"), rotated("b"), rotated("c")]
    assert plan(place("d", older=older), *files, is_current=True) == [("a", 10), ("b", 20)]
    assert plan(place("c", older=older), *files) == [("a", 10), ("b", 20), ("c", 50)]
    packed = [rotated("a", AT - 1.1, "gz"), rotated("b", AT - 0.9, "gz")]
    assert plan(place("d", older=older), *packed, is_current=True) == [("b", 20)]


def test_an_older_one_is_not_taken_for_a_newer_one():
    """A late writer made it look so."""
    files = [rotated("b"), rotated("a", AT + 9)]
    assert plan(place("b", older=(place("a", 10),)), *files) == [("a", 10), ("b", 50)]
    assert plan(place("x", older=(place("a", 10),)), *files) == [("a", 10)]
    packed = [rotated("b"), rotated("a", AT - 9, "gz")]
    assert plan(place("b", older=(place("a", 10),)), *packed) == [("b", 50)]


def test_an_inode_alone_is_believed_of_older_files_only():
    """It may be another's by now."""
    files = [rotated("a"), rotated("b"), rotated("c")]
    assert plan(place("b", older=(place("a", 0),)), *files) == [("a", 0), ("b", 50), ("c", 0)]
    assert plan(place("b", older=(place("c", 0),)), *files) == [("b", 50), ("c", 0)]
    files = [rotated("b"), rotated("c", AT + 1), rotated("d", AT + 2)]
    assert plan(place("x", older=(place("d", 0),)), *files) == [("c", 0), ("d", 0)]
    assert plan(place("x", older=(place("b", 0),)), *files) == [("b", 0), ("c", 0), ("d", 0)]


@pytest.mark.parametrize("is_current", [True, False])
def test_it_was_empty(is_current):
    """It has nothing by which a copy could be known: what was written to later is new."""
    files = [rotated("a"), rotated("b", AT + 1), rotated("c", AT + 2)]
    assert plan(place("x", 0), *files, is_current=is_current) == [("b", 0), ("c", 0)]
    assert plan(place("a", 0), *files) == [("a", 0), ("b", 0), ("c", 0)]


def test_a_step_is_plain():
    """What is read from its start has no place."""
    [step] = plan_rest(place("x"), [rotated("b", AT + 1)], lambda *_: False, is_current=False)
    assert step == Step(rotated("b", AT + 1), None)
