"""The key that Dovecot shows: without it any user of this host could have anybody banned."""

import os
import secrets
import stat
from pathlib import Path
from typing import Final

MODE: Final = 0o640
SHORTEST: Final = 16


def load_key(path: Path) -> str:
    """
    The key in the file `path`, which is made, with a new key in it, if it is missing.

    Raises:
        OSError: it can be neither read nor made.
        ValueError: everybody may read it, or what is in it is no key.
    """
    try:
        # Its directory is made by nobody: where there is none, the state directory is not set up.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, MODE)
    except FileExistsError:
        pass
    else:
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(descriptor, MODE)  # whatever the umask says
            file.write(f"{secrets.token_hex(32)}\n")
    if path.stat().st_mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise ValueError(f"expected mode {MODE:04o}, got {path.stat().st_mode & 0o7777:04o}")
    key = path.read_text("ascii", "replace").strip()
    if len(key) < SHORTEST or not key.isprintable() or not key.isascii() or " " in key:
        raise ValueError(f"expected at least {SHORTEST} printable characters without blanks")
    return key
