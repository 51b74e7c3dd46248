"""store/journal.py: what windows held."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.store.conftest import batch, delta

from banwatch.store.journal import Journal
from banwatch.store.schema import MIGRATIONS


def fresh():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statements in MIGRATIONS:
        for statement in statements:
            connection.execute(statement)
    return connection


keys = st.sampled_from(["a", "b", "c"])
held = st.sampled_from([(), (1.0, "root"), (1.0, None, 2.0, "root")])


@given(st.lists(st.tuples(st.booleans(), st.lists(st.tuples(keys, held), max_size=4)), max_size=6))
def test_the_last_word_counts(batches):
    """However the changes are spread over transactions, what comes back is what a dictionary would hold, in the same order."""
    connection, expected = fresh(), {}
    journal = Journal(connection)
    for anew, records in batches:
        expected = {} if anew else expected
        for key, record in records:
            expected.pop(key, None)
            if record:
                expected[key] = record
        journal.write(batch(windows=[delta(*records)], all_windows=anew))
    loaded = Journal(connection).load()
    assert {names: (counts, list(found.items())) for names, (counts, found) in loaded.items()} == (
        {("sshd", "ip"): ("auth by ip", list(expected.items()))} if expected else {}
    )


def test_a_rule_that_counts_something_else_starts_anew():
    """What was counted under another findtime means nothing any more."""
    journal = Journal(fresh())
    journal.write(batch(windows=[delta(("a", (1.0, None))), delta(("b", (2.0, None)), rule="net")]))
    journal.write(batch(windows=[delta(("c", (3.0, None)), counts="other")]))
    assert journal.load() == {
        ("sshd", "ip"): ("other", {"c": (3.0, None)}),
        ("sshd", "net"): ("auth by ip", {"b": (2.0, None)}),
    }


def test_a_long_journal_wants_to_be_written_anew():
    """Its length has a bound, also over restarts."""
    connection = fresh()
    journal = Journal(connection, room=100)
    record = ("198.51.100.7", (1.0, "root"))
    for _ in range(3):
        journal.write(batch(windows=[delta(record)]))
    assert not journal.is_long
    journal.write(batch(windows=[delta(record)]))
    assert journal.is_long
    assert Journal(connection, room=100).is_long
    journal.write(batch(windows=[delta(record)], all_windows=True))
    assert not journal.is_long
    assert connection.execute("SELECT count(*) FROM windows").fetchone() == (1,)


def test_a_row_that_makes_no_sense():
    """It is told, not skipped: what is beside it may be wrong as well."""
    connection = fresh()
    Journal(connection).write(batch(windows=[delta(("a", (1.0, None)))]))
    connection.execute("UPDATE windows SET records = 'garbage'")
    with pytest.raises(ValueError, match="Expecting value"):
        Journal(connection).load()
