"""The tool that rotates the logs of most servers, in all its ways."""

import os
import shutil
import subprocess

import pytest

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(
        shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin") is None, reason="not installed: logrotate"
    ),
]


@pytest.mark.parametrize("pattern", ["a.log", "a.log*"])
@pytest.mark.parametrize(
    "ways",
    [
        ["create"],
        ["nocreate"],
        ["create", "compress"],
        ["create", "compress", "delaycompress"],
        ["copytruncate"],
        ["copytruncate", "compress"],
    ],
)
async def test_every_line_comes_once(tmp_path, follow, append, pattern, ways):
    """Five rotations with lines before and after; those that were not read before a rotation come as well."""
    log, rules = tmp_path / "a.log", tmp_path / "rules"
    log.touch()
    rules.write_text("\n".join([f"{log} {{", "rotate 3", "missingok", *ways, "}"]))
    rules.chmod(0o644)
    written: list[bytes] = []
    got: list[bytes] = []

    def write() -> None:
        lines = [b"%d %s\n" % (len(written) + number, b"x" * 60) for number in range(20)]
        append(log, b"".join(lines))
        written.extend(lines)

    async with follow(tmp_path / pattern) as reader:
        for _ in range(5):
            write()
            if "copytruncate" in ways:  # it may empty what nobody has read yet
                got += await reader.lines(len(written) - len(got))
            command = ["logrotate", "-f", "-s", str(tmp_path / "state"), str(rules)]
            path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
            subprocess.run(command, check=True, env=path)  # noqa: ASYNC221  nobody reads meanwhile: the worst case
            write()
            got += await reader.lines(len(written) - len(got))
        append(log, b"last\n")
        assert await reader.lines(1) == [b"last\n"]
    assert got == written
