"""The journal or files: which one a watch reads."""

import pytest

from banwatch.config.choice import choose, is_open, prefer_journal
from banwatch.config.model import Config, DaemonSpec, JailSpec, Watch

BOTH = Watch("sshd", logs=("/log",), journal=("A=b C=d", "A=x"))
LOGS, JOURNAL = Watch("sshd", logs=("/log",)), Watch("sshd", journal=("A=b C=d", "A=x"))
PATTERN = "journal:A=b+C=d"
OWN = {"own_logs": True}


def config(*watches):
    return Config(DaemonSpec(), {"j": JailSpec("j", watch=watches)}, {})


def like(watch, **changes):
    return Watch(**{name: getattr(watch, name) for name in Watch.__slots__} | changes)


def test_patterns():
    """Paths as they are, matches in one word each."""
    assert BOTH.patterns == ("/log", PATTERN, "journal:A=x")
    assert config(BOTH, LOGS).patterns() == {"/log", PATTERN, "journal:A=x"}


@pytest.mark.parametrize(
    ("watch", "held", "there", "chosen"),
    [
        (BOTH, {PATTERN}, True, JOURNAL),
        (BOTH, {PATTERN}, False, JOURNAL),
        (BOTH, set(), True, BOTH),
        (BOTH, set(), False, BOTH),
        (BOTH, None, True, LOGS),
        (BOTH, None, False, LOGS),
        (LOGS, {PATTERN}, False, LOGS),
        (JOURNAL, None, False, JOURNAL),
        (like(BOTH, source="logs"), {PATTERN}, True, like(LOGS, source="logs")),
        (like(BOTH, source="journal"), None, True, like(JOURNAL, source="journal")),
        (like(BOTH, **OWN), {PATTERN}, True, like(LOGS, **OWN)),
        (like(BOTH, **OWN), {PATTERN}, False, like(JOURNAL, **OWN)),
        (like(BOTH, **OWN), set(), False, like(LOGS, **OWN)),
    ],
)
def test_what_is_chosen(watch, held, there, chosen):
    """The journal where it has an entry of the service, both while it has none, the logs if it cannot be read or is not meant."""
    holds = None if held is None else held.__contains__
    assert choose(config(watch), holds, lambda path: there) == config(chosen)


def test_what_is_chosen_already_stays_as_it_is():
    """The very same object comes back, so that nothing is built anew for it."""
    one = config(JOURNAL, LOGS)
    assert choose(one, {PATTERN}.__contains__, lambda path: True) is one


def test_the_first_entry_decides():
    """Only for those that were waiting for it."""
    other = Watch("web", logs=("/web",), journal=("A=y",))
    one = config(BOTH, other, JOURNAL)
    assert is_open(one, frozenset({PATTERN}))
    assert not is_open(one, frozenset({"/log"}))
    narrowed = prefer_journal(one, frozenset({PATTERN}))
    assert narrowed == config(JOURNAL, other, JOURNAL)
    assert not is_open(narrowed, frozenset({PATTERN}))
    assert prefer_journal(narrowed, frozenset({PATTERN})) is narrowed
