"""Which patterns an entry belongs to."""

from banwatch.sources.journal_match import REMEMBERED, Matches, split_pattern


def test_a_pattern_taken_apart():
    """A plus within a value stays there; \\xHH is the byte."""
    pattern = "journal:SYSLOG_IDENTIFIER=a+b+_UID=0+_COMM=x\\x20y\\x2b"
    assert split_pattern(pattern) == (("SYSLOG_IDENTIFIER", b"a+b"), ("_UID", b"0"), ("_COMM", b"x y+"))


def test_all_words_of_a_pattern_hold():
    """A missing field is no value at all."""
    matches = Matches(["journal:A=1+B=2", "journal:A=1", "journal:C=3"])
    assert matches.fields == (b"A", b"B", b"C")
    assert matches.of((b"1", b"2", None)) == {"journal:A=1+B=2", "journal:A=1"}
    assert matches.of((b"1", None, b"3")) == {"journal:A=1", "journal:C=3"}
    assert matches.of((b"12", b"2", b"")) == set()


def test_strangers_cannot_fill_it():
    """However many values there are, what is remembered is bounded, and the answers stay right."""
    matches = Matches(["journal:_UID=0", "journal:_UID=0+_COMM=5"])
    for number in range(2 * REMEMBERED):
        matches.of((b"%d" % number, b"0"))
    assert len(matches._known) <= REMEMBERED
    assert matches.of((b"5", b"0")) == {"journal:_UID=0", "journal:_UID=0+_COMM=5"}
