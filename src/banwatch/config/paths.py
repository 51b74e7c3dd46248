"""Where configuration is."""

from pathlib import Path
from typing import Final

DEFAULT_DIRECTORY: Final = Path("/etc/banwatch")
DAEMON_FILE: Final = "banwatch.yaml"

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_dir(package: Path = _PACKAGE) -> Path:
    """Where the shipped `filters` and `jails` are: within the installed package, else at the top of its source tree."""
    installed = package / "shipped"
    return installed if installed.is_dir() else package.parents[1]
