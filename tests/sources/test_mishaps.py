"""All mishaps in any order: each line that was written comes exactly once, those of one file in order."""

import os
import random
import shutil
from collections import defaultdict
from pathlib import Path

import pytest

from banwatch.sources.inotify import InotifyWaker
from banwatch.sources.turns import Patience


class Logger:
    """
    Writes numbered lines to one path, and does to its file whatever can happen to a log.

    Attributes:
        written: every line that has to come, by the file it was written to.
    """

    def __init__(self, path: Path, chance: random.Random) -> None:
        self.path = path
        self.chance = chance
        self.written: dict[int, list[bytes]] = defaultdict(list)
        self.half: dict[int, bytes] = {}
        self.stale = None
        self.count = self.generation = 0
        self.open = path.open("ab", buffering=0)
        self.opened = [self.open]  # kept: the inode of a closed file may get to be another's

    @property
    def inode(self) -> int:
        return os.fstat(self.open.fileno()).st_ino

    def _line(self) -> bytes:
        self.count += 1
        return b"%s %d %s\n" % (self.path.name.encode(), self.count, b"x" * self.chance.randrange(60))

    def write(self, file=None) -> None:
        """A few lines in one go, or in two halves."""
        file = file or self.open
        inode = os.fstat(file.fileno()).st_ino
        lines = [self._line() for _ in range(self.chance.randrange(1, 6))]
        data = b"".join(lines)
        lines[0] = self.half.pop(inode, b"") + lines[0]
        cut = self.chance.randrange(len(data))
        file.write(data[:cut])
        file.write(data[cut:])
        self.written[inode] += lines

    def write_half(self) -> None:
        """A line whose end comes with the next one, or never."""
        half = self._line().strip() + b";"
        self.open.write(half)
        self.half[self.inode] = self.half.get(self.inode, b"") + half

    def write_stale(self) -> None:
        """A writer who was not told of the rotation."""
        if self.stale is not None:
            self.write(self.stale)

    def give_up(self, inode: int) -> None:
        """Nobody is going to finish the line."""
        if half := self.half.pop(inode, None):
            self.written[inode].append(half + b"\n")

    def renew(self) -> None:
        """The path has another file from now on; the old one may have a writer still."""
        self.stale = self.open
        self.open = self.path.open("ab", buffering=0)
        self.opened.append(self.open)
        self.generation += 1

    def rotate(self) -> None:
        self.path.replace(f"{self.path}.1")
        self.renew()

    def rotate_within_the_glob(self) -> None:
        self.path.rename(self.path.with_name(f"{self.path.stem}-{self.generation}.log"))
        self.renew()

    def delete(self) -> None:
        self.path.unlink()
        self.renew()

    def replace_by_link(self) -> None:
        self.path.unlink()
        target = self.path.with_name(f"target-{self.path.stem}-{self.generation}")
        target.touch()
        self.path.symlink_to(target)
        self.renew()

    def truncate(self) -> None:
        """After copying it, to where the glob does not find the copy, or does."""
        copy = self.chance.choice([f"{self.path.name}.copy", f"{self.path.stem}-{self.generation}-{self.count}.log"])
        shutil.copy(self.path, self.path.with_name(copy))
        os.truncate(self.path, 0)

    def swap_directory(self) -> None:
        old = self.path.parent.with_name(f"{self.path.parent.name}-{self.generation}")
        self.path.parent.rename(old)
        self.path.parent.mkdir()
        self.renew()

    def close(self) -> None:
        for inode in list(self.half.keys() - {self.inode}):
            self.give_up(inode)
        self.write()
        for file in self.opened:
            file.close()


class HastyWaker(InotifyWaker):
    """Does not wait for the time to go by once it is in a hurry; its clock is put forward."""

    hurry = False
    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead

    async def wait(self, seconds: float | None) -> None:
        if self.hurry and seconds is not None:
            self.ahead += seconds
        else:
            await super().wait(seconds)


MOVES = ("rotate", "rotate_within_the_glob", "delete", "replace_by_link", "swap_directory")
ACTS = ("write", "write", "write", "write", "write_half", "write_stale", "read", "read", "truncate", "move")


@pytest.mark.parametrize("seed", range(25))
async def test_each_line_comes_once(tmp_path, follow, seed):
    """Several logs, several ways to rotate each of them, read in pieces of any size at any time."""
    chance = random.Random(seed)
    loggers = []
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        loggers.append(Logger(tmp_path / name / f"{name}.log", chance))
    got: list[bytes] = []

    def total() -> int:
        return sum(len(lines) for logger in loggers for lines in logger.written.values())

    waker, size = HastyWaker(), chance.choice([16, 100, 1 << 18])
    patterns = tmp_path / "?" / "*.log", tmp_path / "a" / "a.log"
    async with follow(*patterns, waker=waker, chunk_bytes=size, patience=Patience(grace=3600.0)) as reader:

        async def read() -> None:
            got.extend((await reader.chunk()).data.splitlines(keepends=True))

        async def settle() -> None:
            while len(got) < total():
                await read()

        for _ in range(chance.randrange(50, 150)):
            logger = chance.choice(loggers)
            match chance.choice(ACTS):
                case "read":
                    if len(got) < total():
                        await read()
                case "truncate":  # whoever truncates loses what nobody has read yet; not our doing
                    logger.write()
                    while logger.path.stat().st_size < 300:  # what is shorter cannot be known again
                        logger.write()
                    await settle()
                    logger.truncate()
                    logger.write()
                    await settle()
                case "move":
                    if not set(logger.written[logger.inode]) & set(got):  # a file that came and went unseen cannot be known
                        logger.write()
                        await settle()
                    getattr(logger, chance.choice(MOVES))()
                case act:
                    getattr(logger, act)()
        for logger in loggers:
            logger.close()
        waker.hurry = True
        await settle()
        for logger in loggers:
            with logger.path.open("ab") as file:
                file.write(b"last\n")
        assert await reader.lines(len(loggers)) == [b"last\n"] * len(loggers)
    files = [lines for logger in loggers for lines in logger.written.values()]
    assert sorted(got) == sorted(line for lines in files for line in lines)
    for lines in files:
        assert [line for line in got if line in set(lines)] == lines
