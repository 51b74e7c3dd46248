"""
Logins as canonical text, so that one account is one key however it is written and wherever it is tried.

    Bob  bob@example.org  BOB+shop@Example.ORG.  bob%example.org  EXAMPLE\\bob     →  bob@example.org

The last one, and the first, because of a default domain. A service decides by itself who `Bob` is; what is folded here only
has to keep strangers from having many counters for one account. Pure.
"""

import re
from typing import NamedTuple

_REALM = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")


class Naming(NamedTuple):
    """
    How the logins of a jail are written.

    Args:
        domain: the realm of a login that has none, in small letters; empty leaves it without.
        realms: realms that say nothing, such as a host's name as SASL appends it; in small letters.
        extension: what separates `user` from an extension; empty: logins have none.
    """

    domain: str = ""
    realms: frozenset[str] = frozenset({"localhost"})
    extension: str = "+"


PLAIN = Naming()


def canonical_login(text: str, naming: Naming = PLAIN) -> str:
    """The account that `text` means: small letters, without extension, with its realm behind an @; empty if it names none."""
    if text.isalnum() and text.isascii():  # as most are that an attack tries, each once
        return f"{text.lower()}@{naming.domain}" if naming.domain else text.lower()
    domain, _, name = text.lower().rpartition("\\")
    user, realm = _split(name, "@", naming)
    if not realm and "%" in user:  # clients that could not send an @
        head, tail = _split(user, "%", naming)
        if _REALM.fullmatch(tail):
            user, realm = head, tail
    if not realm and _REALM.fullmatch(domain) and domain not in naming.realms:
        realm = domain
    if naming.extension:
        user = user.partition(naming.extension)[0].strip() or user
    realm = realm or naming.domain
    return f"{user}@{realm}" if user and realm else user


def spellings(login: str, naming: Naming = PLAIN) -> tuple[str, ...]:
    """How a service may know the account `login` (canonical): as it is, and without the default domain."""
    user, _, realm = login.rpartition("@")
    return (login, user) if user and realm == naming.domain else (login,)


def _split(name: str, mark: str, naming: Naming) -> tuple[str, str]:
    """User and realm around the last `mark`; a realm that says nothing is none."""
    name = name.strip()
    while mark in name:
        user, _, realm = name.rpartition(mark)
        user, realm = user.strip(), realm.strip().rstrip(".").strip()
        if realm and realm not in naming.realms:
            return user, realm
        name = user
    return name, ""
