"""The methods of the control socket."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.control.methods import METHODS, Method, check_request
from banwatch.control.protocol import Request, RequestError, parse_request

DOCS = Path(__file__).parents[2] / "docs" / "control-protocol.md"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def complaint(method: str, **params: object) -> tuple[int, str]:
    with pytest.raises(RequestError) as caught:
        check_request(Request(method, params, 1))
    return caught.value.number, caught.value.message


@given(st.text(), st.dictionaries(st.text(), JSON))
def test_any_params_are_right_or_an_error(method: str, params: dict[str, Any]) -> None:
    """No parameters raise anything but RequestError."""
    for name in (method, *METHODS):
        with suppress(RequestError):
            assert isinstance(check_request(Request(name, params, 1)), Method)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("ping", {}),
        ("status", {}),
        ("status", {"jail": None}),
        ("status", {"jail": "sshd"}),
        ("ban", {"who": ["192.0.2.7"]}),
        ("ban", {"who": ["192.0.2.7", "login:bob"], "jail": "sshd", "for": 600, "force": True}),
        ("ban", {"who": ["192.0.2.7"], "for": None}),
        ("ban", {"who": ["192.0.2.7"], "for": 0.5}),
        ("unban", {"who": ["192.0.2.7"], "all": False}),
        ("unban", {"all": True, "who": []}),
        ("allow", {"who": ["192.0.2.0/24"], "for": None}),
        ("reload", {}),
        ("stop", {"flush": True}),
    ],
)
def test_right_parameters_pass(method: str, params: dict[str, Any]) -> None:
    """What the table allows is allowed."""
    assert check_request(Request(method, params, 1)).name == method


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("ping", {"x": 1}, "ping: unknown parameter 'x'"),
        ("status", {"jail": ""}, "status: jail: expected a jail's name or null"),
        ("status", {"jail": 7}, "status: jail: expected a jail's name or null"),
        ("ban", {}, "ban: who is missing"),
        ("ban", {"who": []}, "ban: expected who"),
        ("ban", {"who": "192.0.2.7"}, "ban: who: expected a list of addresses, networks or login:NAME"),
        ("ban", {"who": [7]}, "ban: who: expected a list of addresses, networks or login:NAME"),
        ("ban", {"who": ["\ud800"]}, "ban: who: expected a list of addresses, networks or login:NAME"),
        ("ban", {"who": ["192.0.2.7"], "for": 0}, "ban: for: expected seconds, at most 315360000 (ten years), or null for ever"),
        ("ban", {"who": ["192.0.2.7"], "for": -1}, "ban: for: expected seconds, at most 315360000 (ten years), or null for ever"),
        (
            "ban",
            {"who": ["192.0.2.7"], "for": float("inf")},
            "ban: for: expected seconds, at most 315360000 (ten years), or null for ever",
        ),
        (
            "ban",
            {"who": ["192.0.2.7"], "for": "10m"},
            "ban: for: expected seconds, at most 315360000 (ten years), or null for ever",
        ),
        (
            "ban",
            {"who": ["192.0.2.7"], "for": 1e300},
            "ban: for: expected seconds, at most 315360000 (ten years), or null for ever",
        ),
        (
            "ban",
            {"who": ["192.0.2.7"], "for": True},
            "ban: for: expected seconds, at most 315360000 (ten years), or null for ever",
        ),
        ("ban", {"who": ["192.0.2.7"], "force": 1}, "ban: force: expected true or false"),
        ("unban", {}, "unban: expected who or all"),
        ("unban", {"who": ["192.0.2.7"], "all": True}, "unban: expected who or all"),
        ("allow", {"who": []}, "allow: expected who"),
        ("stop", {"flush": None}, "stop: flush: expected true or false"),
    ],
)
def test_wrong_parameters_are_named(method: str, params: dict[str, Any], message: str) -> None:
    """The message says which method, which parameter and what it has to be."""
    assert complaint(method, **params) == (-32602, message)


def test_params_by_position_are_refused_without_ending_the_connection() -> None:
    """JSON-RPC allows a list of parameters; here they go by name."""
    with pytest.raises(RequestError) as caught:
        check_request(parse_request(b'{"jsonrpc": "2.0", "id": 1, "method": "ban", "params": ["192.0.2.7"]}'))
    assert (caught.value.number, caught.value.hint) == (-32602, "parameters of ban, by name: jail, who, for, force, check")


def test_an_unknown_method_gets_the_list_of_them() -> None:
    """Whoever mistypes finds the right word in the hint."""
    with pytest.raises(RequestError) as caught:
        check_request(Request("start", {}, 1))
    assert (caught.value.number, caught.value.message) == (-32601, "unknown method 'start'")
    names = "ping, status, banned, allowed, logins, ban, unban, allow, why, history, export, import, reload, stop"
    assert caught.value.hint == f"methods: {names}"


def test_what_changes_something_is_not_among_the_reading_methods() -> None:
    """Exactly these change nothing, and show nothing that not everybody may read."""
    assert {name for name, method in METHODS.items() if method.reads} == {
        "ping",
        "status",
        "banned",
        "allowed",
        "logins",
        "export",
    }


def test_the_reference_names_every_method_and_parameter() -> None:
    """docs/control-protocol.md has a section for each method, with each of its parameters."""
    sections = {part.split("`", 1)[0]: part for part in DOCS.read_text().split("\n### `")[1:]}
    assert list(sections) == list(METHODS)
    for name, method in METHODS.items():
        assert all(f"`{param.name}`" in sections[name] for param in method.params), name
        assert ("read" in sections[name].splitlines()[0]) == method.reads, name
