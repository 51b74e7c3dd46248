"""store/rows.py: values and rows."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.store.conftest import NOW, ban

from banwatch.model import Ban, Target
from banwatch.store.rows import ban_row, bans_of, event_of, event_row, records_of, records_texts, text_of
from banwatch.store.values import Event, Line

texts = st.text(max_size=20)
times = st.floats(0, 4e9)
plain = st.one_of(st.none(), texts)
records = st.lists(st.one_of(times, plain, st.tuples(plain, plain)), max_size=6).map(tuple)


@given(
    st.builds(
        Ban,
        texts,
        st.builds(Target, st.sampled_from(["net", "login"]), texts.map(text_of)),
        st.sampled_from(["ip", "net", "login"]),
        times,
        st.none() | times,
        st.none() | texts,
        st.sampled_from(["rule", "manual", "adopted", "list", "imported"]),
        st.integers(0, 1000),
        st.booleans(),
        texts,
        st.none(),
        st.booleans(),
    )
)
def test_a_ban_comes_back_as_it_was(ban):
    """But for when its line was read, which matters to nobody any more."""
    assert list(bans_of([ban_row(ban)])) == [ban]


def test_texts_in_common_are_there_once():
    """A hundred thousand bans of one jail have one name of it."""
    first, second = bans_of([ban_row(ban("192.0.2.7")), tuple("".join(c) if isinstance(c, str) else c for c in ban_row(ban()))])
    assert (first.jail is second.jail, first.why is second.why, first.target.realm is second.target.realm) == (True, True, True)


@given(st.lists(st.tuples(texts, records), max_size=5))
def test_records_come_back_as_they_were(records):
    """Keys, floats to the last bit, nothing, and pairs within."""
    assert [entry for text in records_texts(records) for entry in records_of(text)] == records


def test_a_row_holds_a_thousand_keys():
    """The interpreter is held up for no longer."""
    assert len(list(records_texts([(str(number), (NOW, None)) for number in range(2001)]))) == 3


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[["key"]]', '[["key", 1]]', "[[1, []]]", '[["key", [], 1]]'])
def test_what_is_no_record_is_refused(text):
    """A damaged row is found out and not taken for counts."""
    with pytest.raises(ValueError, match=r"record|JSON|value"):
        list(records_of(text))


@pytest.mark.parametrize("lines", [(), (Line("/var/log/auth.log", 7, NOW, "Failed \x1b \udc80"), Line("/x", 0, NOW, None))])
def test_an_event_comes_back_as_it_was(lines):
    """With the lines that led to it, whatever is in them."""
    event = Event(NOW, "unban", ban(until=None), "expired", lines)
    assert event_of(event_row(event)) == event


def test_half_characters_can_be_written():
    """JSON logs can bring logins that are no text; SQLite takes text only."""
    row = ban_row(ban("a\ud800b", realm="login"))
    assert row[2] == "a\\ud800b"
    assert sqlite3.connect(":memory:").execute("SELECT ?", (row[2],)).fetchone() == ("a\\ud800b",)
