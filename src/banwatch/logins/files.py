"""
The files for services that do not ask: who is refused now, and from where not.

They are in a directory of their own that everybody may read. A file of them is never missing and never half written, since
for Dovecot a missing one would refuse everybody; and its time of change always moves by whole seconds, since Dovecot reads it
anew only when that or its size is another. `bans.json` beside them is what they are made of, so that bans can end when nobody
is there to end them: `banwatch logins --sync`.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from banwatch.config.model import FilesSpec
from banwatch.logins.listing import Refused, dump_refused, load_refused, render_names, render_pam

PAM: Final = "pam-access"
DOVECOT: Final = "dovecot-deny"
EXIM: Final = "exim-deny"
STATE: Final = "bans.json"


class DenyFiles:
    """The files that `spec` asks for."""

    def __init__(self, spec: FilesSpec) -> None:
        self._spec = spec
        self.directory = Path(spec.directory)

    def write(self, refused: Sequence[Refused], now: float) -> list[str]:
        """
        Have them say who of `refused` is refused at `now`: the names of the files that changed.

        Raises:
            OSError: they cannot be written.
        """
        self.directory.mkdir(exist_ok=True)
        if self.directory.stat().st_mode & 0o7777 != 0o755:
            self.directory.chmod(0o755)  # whatever the umask says: services read here
        with self._alone():
            _replace(self.directory / STATE, json.dumps(dump_refused(refused)), now, 0o640)
            return self._render(refused, now)

    def sync(self, now: float) -> list[str]:
        """
        Have them say who of those that were written last is refused at `now`: the names of the files that changed.

        Raises:
            OSError: they cannot be read or written.
            ValueError: what was written is not understood.
        """
        with self._alone():
            try:
                refused = load_refused(json.loads((self.directory / STATE).read_text()))
            except (KeyError, TypeError) as error:
                raise ValueError(f"not written by banwatch: {error}") from error
            return self._render(refused, now)

    def _render(self, refused: Sequence[Refused], now: float) -> list[str]:
        wanted = {}
        if self._spec.pam:
            wanted[PAM] = render_pam(refused, now)
        for name, asked in ((DOVECOT, self._spec.dovecot), (EXIM, self._spec.exim)):
            if asked:
                wanted[name] = render_names(refused, now)
        # What is asked for no more stays, and refuses nobody: a service may still read it.
        for name, empty in ((PAM, render_pam((), now)), (DOVECOT, render_names((), now)), (EXIM, render_names((), now))):
            if name not in wanted and (self.directory / name).exists():
                wanted[name] = empty
        return [name for name, text in wanted.items() if _replace(self.directory / name, text, now, 0o644)]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else writes meanwhile."""
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _replace(path: Path, text: str, now: float, mode: int) -> bool:
    """Have `path` hold `text`: whether it did not before."""
    try:
        before = path.stat()
        if path.read_text() == text and before.st_mode & 0o7777 == mode:
            return False
        at = max(int(now), int(before.st_mtime) + 1)
    except FileNotFoundError:
        at = int(now)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.chmod(mode)
    os.utime(new, (at, at))
    new.rename(path)
    return True
