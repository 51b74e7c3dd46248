"""A log on disk, its filter, and clues about it."""

import pytest

from banwatch.config.model import FilterSpec
from banwatch.evidence.clue import Clue, Where
from banwatch.filter.match import compile_filter
from banwatch.filter.scan import Lens
from banwatch.model import Target

START = 1_780_000_000.0

SSHD = FilterSpec(
    name="sshd",
    header=(r"^<DATE> (?P<program>\w+)(?:\[(?P<pid>\d+)\])?: ",),
    program="sshd",
    failregex={"auth": (r"^Failed for <F-USER>\S+</F-USER> from <HOST>$",), "scan": (r"^Scan from <HOST>$",)},
    hintregex={"auth": (r"^Invalid <F-USER>\S+</F-USER> from <HOST>$",)},
    successregex=(r"^Accepted for <F-USER>\S+</F-USER> from <HOST>$",),
)


class Log:
    """A file of lines, each (seconds after START, text)."""

    def __init__(self, path):
        self.path, self.lens = path, Lens(compile_filter(SSHD))
        path.touch()

    def write(self, *lines):
        with self.path.open("ab") as file:
            file.writelines(b"%.1f sshd[1]: %s\n" % (START + after, text.encode()) for after, text in lines)

    def rotate(self, name):
        self.path.rename(self.path.with_name(name))
        self.path.touch()

    def where(self):
        status = self.path.stat()
        return Where(str(self.path), self.lens, (status.st_dev, status.st_ino, status.st_size))

    def clue(self, who="192.0.2.7", until=600.0, attempts=3, realm="net", findtime=600.0, kinds=("auth",), logs=None):
        """As a ban at START + until leaves it."""
        since = START + until - findtime
        return Clue(Target(realm, who), frozenset(kinds), since, START + until, attempts, logs or (self.where(),))


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path / "auth.log")
