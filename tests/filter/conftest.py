import pytest

from banwatch.config.model import FilterSpec
from banwatch.filter import compile_filter
from banwatch.model import Chunk, Position


@pytest.fixture
def make():
    """make(*failregexes of kind auth, **keys of a filter): a compiled filter."""

    def build(*regexes, name="x", **keys):
        keys.setdefault("failregex", {"auth": regexes} if regexes else {})
        return compile_filter(FilterSpec(name, **keys))

    return build


@pytest.fixture
def chunk():
    """chunk(bytes): them as one chunk."""
    return lambda data: Chunk("log", data, 0, Position(0, 0, len(data)), True, 0.0)
