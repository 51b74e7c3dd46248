"""config/compiled.py: filters are compiled when they are needed, and once."""

import pytest

from banwatch.config.compiled import CompiledFilters
from banwatch.config.model import FilterSpec
from banwatch.errors import ConfigError

GOOD = FilterSpec("good", header=("none",), failregex={"auth": ("^no for <HOST>$",)})
BAD = FilterSpec("bad", header=("none",), failregex={"auth": ("^no (for <HOST>$",)})


def test_a_filter_is_compiled_once():
    """Asking again gives the same one."""
    filters = CompiledFilters({"good": GOOD})
    assert filters["good"] is filters["good"]
    assert list(filters) == ["good"]
    assert len(filters) == 1


def test_what_does_not_compile_says_so_when_asked_for():
    """Not before."""
    filters = CompiledFilters({"good": GOOD, "bad": BAD})
    with pytest.raises(ConfigError):
        filters["bad"]
    with pytest.raises(KeyError):
        filters["absent"]


def test_a_broken_filter_can_be_dropped():
    """It is as if it was not there."""
    filters = CompiledFilters({"good": GOOD, "bad": BAD})
    filters.drop("bad")
    filters.drop("absent")
    assert "bad" not in filters


def test_work_that_was_done_is_taken_over():
    """Only what was compiled already."""
    older = CompiledFilters({"good": GOOD})
    fresh = CompiledFilters({"good": GOOD})
    fresh.take_over("good", older)
    assert fresh["good"] is not older["good"]
    again = CompiledFilters({"good": GOOD})
    again.take_over("good", older)
    assert again["good"] is older["good"]
