"""By what a log is known again."""

from hypothesis import given
from hypothesis import strategies as st

from banwatch.model import Position
from banwatch.sources.prints import KNOWN, fingerprint, fits, known


def test_the_form_of_a_fingerprint():
    """It stays what it is: a store of yesterday is read tomorrow."""
    assert fingerprint(b"Nov 20 10:00:00 mx sshd[1]: x\n") == "edc321ee641bc140"
    assert (known(0), known(5), known(KNOWN), known(10 * KNOWN)) == (0, 5, 256, 256)


@given(st.binary(max_size=9), st.binary(max_size=9), st.binary(max_size=9), st.binary(max_size=9))
def test_a_place_fits_its_own_content(head, tail, other_head, other_tail):
    """And no other."""
    place = Position(1, 2, 9, fingerprint(head), fingerprint(tail))
    assert fits(place, other_head, other_tail) == ((head, tail) == (other_head, other_tail))
