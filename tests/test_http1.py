"""http1.py: the head of a request."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banwatch.http1 import Head, parse_head


def test_a_request():
    """Names of headers are in small letters; what stands twice is joined; blanks before a value do not belong to it."""
    head = b"POST /?command=allow HTTP/1.1\r\nHost: x\r\nX-API-Key: \tk e y\r\nA: 1\r\na: 2\r\nEmpty:\r\n\r\n"
    assert parse_head(head) == Head("POST", "/?command=allow", {"host": "x", "x-api-key": "k e y", "a": "1,2", "empty": ""})
    assert parse_head(head.removesuffix(b"\r\n\r\n")) == parse_head(head)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\r\n\r\n",
        b"post / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/2.0\r\n\r\n",
        b"POST http://x/ HTTP/1.1\r\n\r\n",
        b"POST /a b HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\na : 1\r\n\r\n",
        b"POST / HTTP/1.1\r\na: 1\r\n b: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\na: \x00\r\n\r\n",
        b"POST / HTTP/1.1\na: 1\n\n",
    ],
)
def test_nonsense(head):
    """What is no request is none."""
    assert parse_head(head) is None


@settings(deadline=None)
@given(st.binary())
def test_any_bytes(head):
    """Any bytes are a Head or None."""
    assert parse_head(head) is None or isinstance(parse_head(head), Head)
