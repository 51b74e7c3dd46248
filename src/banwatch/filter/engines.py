"""
Which engine takes a regex, so that no line can stall it.

    re       proven to be linear there, as everything that is shipped is
    re2      else, if RE2 can do it
    bounded  neither: lines of a bounded length, with a budget (see bounded.py)
"""

import re
from typing import Any, Final, Literal, NamedTuple

from banwatch.filter.bounded import Bounded
from banwatch.filter.dialect import UnknownToRe2Error, translate
from banwatch.filter.linear import find_doubt

Engine = Literal["re", "re2", "bounded"]
ENGINES: Final[tuple[Engine, ...]] = ("re", "re2", "bounded")


class Chosen(NamedTuple):
    """`regex` has search and fullmatch; `doubt` is why it is not left to `re`."""

    engine: Engine
    regex: Any
    doubt: str | None = None


def choose_engine(regex: re.Pattern[str], proven: bool = False, searched: bool = True) -> Chosen:
    """
    Args:
        proven: it is known to be linear in `re`.
        searched: False if all of a text is matched with it (fullmatch).
    """
    if proven:
        return Chosen("re", regex)
    source = regex.pattern if searched else rf"\A(?:{regex.pattern})\Z"
    try:
        doubt = find_doubt(source)
    except re.error:
        # Flags for all of a regex cannot be put into another one.
        doubt = find_doubt(regex.pattern)
    if doubt is None:
        return Chosen("re", regex)
    if searched and (other := _compile_re2(regex.pattern)) is not None:
        return Chosen("re2", other, doubt)
    return Chosen("bounded", Bounded(regex, doubt), doubt)


def name_engine(regex: re.Pattern[str] | Bounded) -> Chosen:
    """What was chosen for a regex that all of a text is matched with."""
    return Chosen("bounded", regex, regex.doubt) if isinstance(regex, Bounded) else Chosen("re", regex)


def _compile_re2(source: str) -> Any:
    """None if RE2 cannot do it, or cannot be loaded."""
    try:
        import re2
    except ImportError:
        return None
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(translate(source), options)
    except (UnknownToRe2Error, re2.error):
        return None
