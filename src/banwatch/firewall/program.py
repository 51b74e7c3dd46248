"""Runs the programs that lay rules: iptables and its like, and nft."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from subprocess import DEVNULL, PIPE

from banwatch.errors import FirewallError

_PATIENCE = 30.0


async def run_program(*argv: str, package: str, hints: Sequence[tuple[str, str]], text: str | None = None) -> str:
    """
    What a program prints, given `text` on its standard input.

    Args:
        package: Debian's, which has the program.
        hints: a part of what it may say → what an operator can do about it; the first that fits.
    Raises:
        FirewallError: it cannot be started, does not end, or refuses.
    """
    name = os.path.basename(argv[0])  # noqa: PTH119  a name in a message; pathlib is not loaded for it
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=DEVNULL if text is None else PIPE, stdout=PIPE, stderr=PIPE, env={**os.environ, "LC_ALL": "C"}
        )
    except OSError as error:
        raise FirewallError(f"{name} cannot be started: {error.strerror}", f"apt-get install {package}") from error
    try:
        async with asyncio.timeout(_PATIENCE):
            out, err = await process.communicate(None if text is None else text.encode())
    except TimeoutError:
        raise FirewallError(f"{name} did not end within {_PATIENCE:.0f} s") from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        said = " ".join(err.decode(errors="backslashreplace").split())
        hint = next((hint for sign, hint in hints if sign in said), "")
        raise FirewallError(f"{name} refused ({process.returncode}): {said[:300]!r}", hint)
    return out.decode(errors="backslashreplace")
