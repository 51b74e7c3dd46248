"""log/__init__.py: one log for the process."""

import sys

import pytest

from banwatch.config.model import LogSpec
from banwatch.log import Log


def test_levels_below_the_wanted_one_are_left_out(tmp_path):
    """`level: warning` leaves out info."""
    log = Log()
    log.configure(LogSpec(to=str(tmp_path / "log"), level="warning"))
    log.logger().info("chatter")
    log.logger().error("trouble", error="no space")
    log.close()
    assert [line[20:] for line in (tmp_path / "log").read_text().splitlines()] == ["ERROR [banwatch] trouble error='no space'"]


def test_an_exception_stays_on_one_line(tmp_path):
    """A traceback is a field, not forty lines."""
    log = Log()
    log.configure(LogSpec(to=str(tmp_path / "log")))
    try:
        raise RuntimeError("first\nsecond")
    except RuntimeError:
        log.logger().exception("unexpected")
    log.close()
    [line] = (tmp_path / "log").read_text().splitlines()
    assert "RuntimeError" in line


def test_a_file_that_cannot_be_opened_leaves_the_old_one(tmp_path):
    """A wrong path is an error, and the log goes on where it was."""
    log = Log()
    log.configure(LogSpec(to=str(tmp_path / "log")))
    with pytest.raises(OSError, match="No such file"):
        log.configure(LogSpec(to=str(tmp_path / "no" / "where.log")))
    log.logger().info("still here")
    log.close()
    assert len((tmp_path / "log").read_text().splitlines()) == 1


def test_a_full_disk_is_counted():
    """What the sink refuses was lost."""
    log = Log()
    log.configure(LogSpec(to="/dev/full"))
    log.logger().error("trouble")
    log.close()
    assert log.lost == 1


def test_rich_is_not_loaded():
    """The terminal library that structlog would load costs 11 MB."""
    assert sys.modules.get("rich") is None
