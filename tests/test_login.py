"""login.py: one account, one key."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banwatch.login import Naming, canonical_login, spellings

EXAMPLE = Naming("example.org", frozenset({"localhost", "mx1"}))


@pytest.mark.parametrize(
    "text",
    [
        "bob",
        "Bob",
        " BOB ",
        "bob@example.org",
        "bob+shop@Example.ORG.",
        "bob%example.org",
        "example.org\\bob",
        "MX1\\bob",
        "bob@mx1",
        "bob@localhost",
        "bob@mx1@",
        "bob+a+b",
    ],
)
def test_one_account_is_one_key(text):
    """Case, realm, extension and the default domain make no difference."""
    assert canonical_login(text, EXAMPLE) == "bob@example.org"


@pytest.mark.parametrize(
    ("text", "login"),
    [
        ("Bob", "bob"),
        ("bob@example.com", "bob@example.com"),
        ("example.com\\bob", "bob@example.com"),
        ("WORKGROUP\\bob", "bob"),
        ("+bob", "+bob"),
        ("100%", "100%"),
        ("a@b@example.com", "a@b@example.com"),
        ("", ""),
        ("@example.com", ""),
        ("  ", ""),
    ],
)
def test_without_a_default_domain(text, login):
    """A login without a realm stays without; another realm is another account; a name must be left."""
    assert canonical_login(text) == login


def test_no_extension():
    """Where logins have none, what looks like one is part of the name."""
    assert canonical_login("bob+shop", Naming(extension="")) == "bob+shop"
    assert canonical_login("bob-shop", Naming(extension="-")) == "bob"


@settings(deadline=None)
@given(st.one_of(st.text(), st.text("aB .@%+\\1é", max_size=12)), st.sampled_from([Naming(), EXAMPLE, Naming(extension="-")]))
def test_canonical_text_is_its_own_canonical_text(text, naming):
    """However odd a login is, its key is the key of its key."""
    login = canonical_login(text, naming)
    assert canonical_login(login, naming) == login


def test_spellings():
    """A service may know an account with the default domain and without; with another domain only so."""
    assert spellings("bob@example.org", EXAMPLE) == ("bob@example.org", "bob")
    assert spellings("bob@example.com", EXAMPLE) == ("bob@example.com",)
    assert spellings("bob") == ("bob",)
