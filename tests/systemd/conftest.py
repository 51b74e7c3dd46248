"""The unit as values."""

import configparser
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "systemd" / "banwatch.service"


@pytest.fixture(scope="session")
def service():
    """The [Service] section; of a key that is written several times the last value."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(UNIT)
    return unit["Service"]
