"""Puts a damaged database out of the way, where somebody who knows SQLite may still find something in it."""

import time
from pathlib import Path

from banwatch.errors import StoreError

KEPT = 3
"""So many of them stay; a disk that damages each must not fill up with them."""

_COMPANIONS = ("-wal", "-shm")


def set_aside(path: Path, now: float) -> Path:
    """
    Where the database at `path` is now, its journal beside it.

    Raises:
        StoreError: it cannot be moved.
    """
    stem = f"{path.name}.corrupt-"
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    aside = path.with_name(f"{stem}{stamp}")
    try:
        for suffix in ("", *_COMPANIONS):
            source = path.with_name(f"{path.name}{suffix}")
            if source.exists() or source.is_symlink():
                source.rename(f"{aside}{suffix}")
        damaged = sorted(one for one in path.parent.glob(f"{stem}*") if not one.name.endswith(_COMPANIONS))
        for old in damaged[:-KEPT]:
            for suffix in ("", *_COMPANIONS):
                old.with_name(f"{old.name}{suffix}").unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{path} is damaged and cannot be set aside: {error.strerror}") from error
    return aside
