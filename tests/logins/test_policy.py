"""logins/policy.py: the auth policy protocol."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banwatch.logins.gate import FREE, Verdict
from banwatch.logins.policy import Attempt, encode_verdict, parse_attempt

ALLOW = {
    "device_id": "",
    "login": "alice@example.com",
    "protocol": "imap",
    "pwhash": "0a3f",
    "remote": "203.0.113.7",
    "session_id": "Zx",
    "tls": True,
}
ALICE = Attempt("alice@example.com", "203.0.113.7", "imap", "0a3f")


def parse(**changes):
    return parse_attempt(json.dumps({**ALLOW, **changes}).encode())


def test_a_question():
    """Who, from where, at which service; with which password is told as a hash."""
    assert parse() == ALICE._replace(wrong=True)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"success": True, "policy_reject": False}, {"success": True}),
        ({"success": False, "policy_reject": False}, {"wrong": True}),
        ({"success": False, "policy_reject": True}, {"ours": True}),
        ({"success": False, "policy_reject": False, "fail_type": "credentials"}, {"wrong": True}),
        ({"success": False, "policy_reject": False, "fail_type": "account"}, {"wrong": True}),
        ({"success": False, "policy_reject": False, "fail_type": "internal"}, {}),
        ({"success": False, "policy_reject": False, "fail_type": "disabled"}, {}),
    ],
)
def test_a_report(changes, told):
    """A refusal of ours, a fault of the server's, and an account that is off are no wrong password."""
    assert parse(**changes) == ALICE._replace(**told)


@pytest.mark.parametrize(
    ("remote", "ip"),
    [
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:DB8::7", "2001:db8::7"),
        ("127.0.0.1", None),
        ("::1", None),
        ("", None),
        ("x", None),
    ],
)
def test_where_from(remote, ip):
    """A canonical address, but none for this host itself, behind which anybody may be."""
    assert parse(remote=remote).ip == ip


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"3", b'{"login": 3}', b'{"success": 1}', b"\xff", b"[" * 20000, b'{"remote": null}']
)
def test_nonsense(body):
    """What is no request is refused, whatever it is."""
    with pytest.raises(ValueError, match=r"."):
        parse_attempt(body)


@settings(deadline=None)
@given(st.binary())
def test_any_bytes(body):
    """Any bytes are an attempt or a ValueError."""
    with suppress(ValueError):
        assert isinstance(parse_attempt(body), Attempt)


@pytest.mark.parametrize(
    ("verdict", "status"), [(FREE, 0), (Verdict("delay", 5, "why"), 5), (Verdict("deny", why="login:alice is banned"), -1)]
)
def test_answers(verdict, status):
    """A number, and no word that the client could see."""
    assert json.loads(encode_verdict(verdict)) == {"status": status, "msg": ""}
