"""host/limits.py: as many open files as can be had."""

import subprocess
import sys

CHILD = """
import resource
from banwatch.host.limits import raise_open_files
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 300))
print(raise_open_files(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_the_hard_limit_is_used():
    """The soft one was never meant for us."""
    done = subprocess.run((sys.executable, "-c", CHILD), capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "300 300 300\n"
