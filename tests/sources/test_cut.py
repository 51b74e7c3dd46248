"""Bytes to whole lines."""

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.sources.cut import LONGEST, Cutter

TEXT = st.lists(st.sampled_from([b"\n", b"a", b"bc", b"\r\n", b"\0", b"dddddddd"]), max_size=40).map(b"".join)


def expected(text: bytes, longest: int) -> list[bytes]:
    """The plain model: every line that has an end, shortened to the bound."""
    return [line[:longest] for line in text.split(b"\n")[:-1]]


def test_a_line_is_held_back_until_its_end_comes() -> None:
    """Nobody sees half an address."""
    cutter = Cutter()
    assert cutter.feed(b"from 192.0.2.1") == b""
    assert cutter.feed(b"00 port 22\nfrom") == b"from 192.0.2.100 port 22\n"
    assert (cutter.start, cutter.position, cutter.offset) == (0, 25, 29)


def test_offsets_are_those_of_the_file() -> None:
    """start and position are the offsets of the lines last handed out, wherever the reading began."""
    cutter = Cutter(100)
    assert cutter.feed(b"xxone\ntwo\nth", 2) == b"one\ntwo\n"
    assert (cutter.start, cutter.position, cutter.offset) == (100, 108, 110)
    assert cutter.feed(b"ree") == b""
    assert (cutter.start, cutter.position, cutter.offset) == (100, 108, 113)
    assert cutter.feed(b"\n") == b"three\n"
    assert (cutter.start, cutter.position, cutter.offset) == (108, 114, 114)


def test_a_reader_that_starts_inside_a_line_drops_the_rest_of_it() -> None:
    """Half a line is never taken for a line, not even when its end is all that is left."""
    cutter = Cutter(10, inside=True)
    assert cutter.feed(b"rest") == b""
    assert not cutter.unfinished
    assert cutter.feed(b" of it\nwhole\n") == b"whole\n"
    assert (cutter.start, cutter.position) == (21, 27)


def test_a_line_that_only_ends_is_nothing_to_hand_out() -> None:
    """The end of a dropped line makes no empty line."""
    cutter = Cutter(10, inside=True)
    assert cutter.feed(b"\n") == b""
    assert (cutter.start, cutter.position) == (11, 11)


@pytest.mark.parametrize("extra", [-1, 0, 1, 2, LONGEST, 10 * LONGEST])
def test_a_line_beyond_the_bound_keeps_its_first_bytes(extra: int) -> None:
    """64 KiB are handed out, with a line end; a line that just fits is not touched."""
    line = b"x" * (LONGEST + extra)
    cutter = Cutter()
    assert cutter.feed(b"before\n" + line + b"\nafter\n") == b"before\n" + line[:LONGEST] + b"\nafter\n"
    assert cutter.too_long == (extra > 0)
    assert cutter.position == LONGEST + extra + 14


@given(st.lists(TEXT), st.integers(1, 9))
def test_chunking_is_invisible(blocks: list[bytes], longest: int) -> None:
    """However the bytes arrive, the lines are those of a plain split, and so is the count of the long ones."""
    cutter = Cutter(longest=longest)
    got = b"".join(cutter.feed(block) for block in blocks)
    text = b"".join(blocks)
    assert got.split(b"\n")[:-1] == expected(text, longest)
    assert cutter.too_long == sum(len(line) > longest for line in text.split(b"\n")[:-1])
    assert (cutter.position, cutter.offset) == (text.rfind(b"\n") + 1, len(text))


@given(st.lists(TEXT), st.integers(1, 9))
def test_each_feed_tells_where_its_lines_stand(blocks: list[bytes], longest: int) -> None:
    """From start to position lie exactly the lines of this feed, so that they can be found again in the file."""
    cutter, text = Cutter(longest=longest), b"".join(blocks)
    for block in blocks:
        if got := cutter.feed(block):
            assert got.split(b"\n")[:-1] == expected(text[cutter.start : cutter.position], longest)


@given(TEXT, st.integers(1, 9))
def test_finish_hands_out_what_never_got_an_end(text: bytes, longest: int) -> None:
    """The last line gets an end; then nothing is held, and what comes is a new line."""
    cutter = Cutter(longest=longest)
    got = cutter.feed(text) + cutter.finish()
    whole = text if text.endswith(b"\n") or not text else text + b"\n"
    assert got.split(b"\n")[:-1] == expected(whole, longest)
    assert cutter.position == len(text)
    assert cutter.finish() == b""
    assert cutter.feed(b"new\n") == b"new"[:longest] + b"\n"


def test_a_line_without_end_takes_no_room() -> None:
    """100 MB without a line end hold 64 KiB of memory, and the line after it is whole."""
    cutter, block = Cutter(), b"x" * 256 * 1024
    tracemalloc.start()
    for _ in range(400):
        assert cutter.feed(block) == b""
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * LONGEST
    assert cutter.feed(b"\nnext\n") == b"x" * LONGEST + b"\nnext\n"


def test_a_line_in_many_small_pieces_is_not_copied_each_time() -> None:
    """Whoever writes byte by byte costs time in proportion to the bytes."""

    def spend(count: int) -> float:
        cutter, begin = Cutter(longest=10**6), time.process_time()
        for _ in range(count):
            cutter.feed(b"xxxxxxxxxx")
        return time.process_time() - begin

    assert spend(40_000) < 40 * spend(4_000)
