"""
What Dovecot's auth policy client says, and what it understands. Pure.

Source: Dovecot src/auth/auth-policy.c, the same on the wire from 2.3 to 2.4. The request is a JSON object; all of what is used
here is text but for `success` and `policy_reject`. The answer's `status` is a number: below 0 refuses, 0 goes on, more holds
the attempt up for so many seconds. `msg` would be shown to the client, and is always empty: nobody has to learn that a login
is banned.
"""

import json
from ipaddress import ip_address
from typing import Any, Final, NamedTuple

from banwatch.address import canonical_ip
from banwatch.logins.gate import Verdict

LONGEST: Final = 16 * 1024
"""Bytes of a request."""

_WRONG: Final = frozenset({"", "credentials", "account"})
"""Values of fail_type (2.4) that tell of a wrong login or password; 2.3 tells nothing."""


class Attempt(NamedTuple):
    """
    Args:
        ip: canonical; None where it tells nothing about who it is: a webmail of this host, or none at all.
        service: as Dovecot calls it: imap, pop3, submission, sieve, smtp.
        pwhash: tells passwords apart, empty if it cannot.
        success: the password was right.
        ours: it was refused by our own policy.
        wrong: it failed because login or password is wrong.
    """

    login: str
    ip: str | None
    service: str
    pwhash: str = ""
    success: bool = False
    ours: bool = False
    wrong: bool = False


def parse_attempt(body: bytes) -> Attempt:
    """
    The attempt that a request, `allow` or `report`, is about.

    Raises:
        ValueError: it is no such request.
    """
    try:
        told = json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(told, dict):
        raise ValueError("expected an object")
    success, ours = _flag(told, "success"), _flag(told, "policy_reject")
    wrong = not success and not ours and _text(told, "fail_type") in _WRONG
    return Attempt(
        _text(told, "login"), _address(told), _text(told, "protocol"), _text(told, "pwhash"), success and not ours, ours, wrong
    )


def encode_verdict(verdict: Verdict) -> bytes:
    """The answer to `allow`."""
    status = {"allow": 0, "delay": verdict.seconds, "deny": -1}[verdict.action]
    return b'{"status":%d,"msg":""}' % status


REPORTED: Final = b'{"status":0,"msg":""}'
"""The answer to `report`, which nobody reads."""


def _text(told: dict[str, Any], key: str) -> str:
    value = told.get(key, "")
    if not isinstance(value, str):
        raise ValueError(f"{key}: expected text")
    return value


def _flag(told: dict[str, Any], key: str) -> bool:
    value = told.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"{key}: expected true or false")
    return value


def _address(told: dict[str, Any]) -> str | None:
    ip = canonical_ip(_text(told, "remote"))
    return None if ip is None or ip_address(ip).is_loopback else ip
