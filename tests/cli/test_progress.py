"""cli/progress.py: how far a long command has come."""

import io

import pytest

from banwatch.cli.progress import Progress

ERASE = "\r\x1b[K"


class Terminal(io.StringIO):
    def isatty(self):
        return True

    def news(self):
        """What was written since the last time."""
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return text


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_bar(clock):
    """Share, time left at this pace, and what else there is to tell; ten times a second at most."""
    out = Terminal()
    progress = Progress(out, 300, lambda: ", 7 banned", clock)
    progress.add(10)
    assert out.news() == ""  # it may be over at once
    clock.now = 1.0
    progress.add(65)
    assert out.news() == f"{ERASE}[#######.......................]  25%, 3s left, 7 banned"
    clock.now = 1.05
    progress.add(25)
    assert out.news() == ""
    clock.now = 4.0
    progress.add(500)
    assert out.news() == f"{ERASE}[{'#' * 30}] 100%, 0s left, 7 banned"


def test_room_for_a_line(clock):
    """The bar is taken away before a line is printed, once."""
    out = Terminal()
    progress = Progress(out, 10, clock=clock)
    progress.clear()
    assert out.news() == ""
    clock.now = 1.0
    progress.add(5)
    out.news()
    progress.clear()
    progress.clear()
    assert out.news() == ERASE


@pytest.mark.parametrize(("out", "total"), [(io.StringIO(), 10), (Terminal(), 0)])
def test_no_bar(clock, out, total):
    """In a file it would be rubbish, and of a pipe nobody knows how long it is."""
    progress = Progress(out, total, clock=clock)
    clock.now = 9.0
    progress.add(5)
    progress.clear()
    assert out.getvalue() == ""
