"""The socket's language."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.config.model import Problem
from banwatch.control.protocol import (
    Lines,
    Request,
    RequestError,
    decode_reply,
    encode_error,
    encode_request,
    encode_result,
    parse_request,
)
from banwatch.errors import ConfigError, ControlError, FirewallError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def refusal(line: bytes) -> tuple[int, str, object]:
    with pytest.raises(RequestError) as caught:
        parse_request(line)
    return caught.value.number, caught.value.message, caught.value.ident


@given(st.text(), st.dictionaries(st.text(), JSON), st.integers() | st.text() | st.none())
def test_a_request_comes_out_as_it_went_in(method: str, params: dict[str, Any], ident: int | str | None) -> None:
    """Parsing is the inverse of encoding."""
    line = encode_request(method, params, ident)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert parse_request(line[:-1]) == Request(method, params, ident)


@given(st.binary())
def test_any_bytes_are_a_request_or_an_error(line: bytes) -> None:
    """No bytes raise anything but RequestError."""
    with suppress(RequestError):
        parse_request(line)


@pytest.mark.parametrize(
    ("line", "number", "message"),
    [
        (b"\xff", -32700, "the request is no JSON: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b"{", -32700, "the request is no JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b'{"jsonrpc": "2.0", "id": NaN, "method": "ping"}', -32700, "the request is no JSON: NaN is no JSON"),
        (b'{"jsonrpc":"2.0","method":"ping"}'.decode().encode("utf-16"), -32700, None),
        (b"[" * 100_000, -32700, None),
        (b"9" * 10_000, -32700, None),
        (b"[]", -32600, "batches are not supported"),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', -32600, "batches are not supported"),
        (b'"ping"', -32600, 'expected an object with "jsonrpc": "2.0"'),
        (b'{"id": 1, "method": "ping"}', -32600, 'expected an object with "jsonrpc": "2.0"'),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}', -32600, 'expected an object with "jsonrpc": "2.0"'),
        (b'{"jsonrpc": "2.0", "id": true, "method": "ping"}', -32600, "expected a text, a number or null as id"),
        (b'{"jsonrpc": "2.0", "id": 1e999, "method": "ping"}', -32600, "expected a text, a number or null as id"),
        (b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "ping"}', -32600, "expected a text, a number or null as id"),
        (b'{"jsonrpc": "2.0", "id": [1], "method": "ping"}', -32600, "expected a text, a number or null as id"),
        (b'{"jsonrpc": "2.0", "method": 7}', -32600, "expected a text as method"),
        (b'{"jsonrpc": "2.0", "method": "ping", "params": "x"}', -32600, "expected an object as params"),
    ],
)
def test_what_is_no_request_is_refused(line: bytes, number: int, message: str | None) -> None:
    """JSON-RPC's own codes tell no JSON from no request."""
    got = refusal(line)
    assert got[0] == number
    assert message is None or got[1] == message


def test_the_id_is_kept_where_it_can_be_told() -> None:
    """An error about a request with a usable id carries it."""
    assert refusal(b'{"jsonrpc": "2.0", "id": 5}') == (-32600, "expected a text as method", 5)


def test_without_an_id_it_is_a_notification() -> None:
    """A notification is told from a request whose id is null."""
    assert parse_request(b'{"jsonrpc": "2.0", "method": "ping"}').notification
    assert not parse_request(b'{"jsonrpc": "2.0", "method": "ping", "id": null}').notification


@given(JSON, st.integers() | st.text())
def test_a_result_comes_out_as_it_went_in(result: Any, ident: int | str) -> None:
    """Decoding a reply is the inverse of encoding it."""
    assert decode_reply(b"".join(encode_result(ident, result)), ident) == result


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 1000])
def test_an_iterator_becomes_an_array_in_slices(count: int) -> None:
    """A long result is encoded 256 elements at a time, with the same bytes in the end."""
    pieces = list(encode_result(1, ({"n": n} for n in range(count))))
    assert json.loads(b"".join(pieces)) == {"jsonrpc": "2.0", "id": 1, "result": [{"n": n} for n in range(count)]}
    assert len(pieces) == 2 + -(-count // 256)
    assert b"".join(pieces) == b"".join(encode_result(1, [{"n": n} for n in range(count)]))


def test_what_has_no_json_is_our_mistake() -> None:
    """NaN and objects are refused at once, not written into the stream."""
    with pytest.raises(ValueError, match="JSON"):
        encode_result(1, float("nan"))
    with pytest.raises(TypeError):
        encode_result(1, object())


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ControlError("no jail 'x'", "jails: sshd"), {"code": -32000, "data": {"hint": "jails: sshd", "exit": 1}}),
        (FirewallError("no ip_set"), {"code": -32000, "data": {"hint": "", "exit": 69}}),
        (RequestError(-32602, "ban: who is missing", code=2), {"code": -32602, "data": {"hint": "", "exit": 2}}),
    ],
)
def test_an_error_carries_its_hint_and_exit_code(error: ControlError, expected: dict[str, Any]) -> None:
    """The client needs no table of its own to know how to leave."""
    assert json.loads(encode_error(4, error)) == {"jsonrpc": "2.0", "id": 4, "error": {"message": error.message, **expected}}


def test_problems_travel_with_the_error() -> None:
    """A refused reload arrives at the client with file, line, key, expected and got of each problem."""
    problem = Problem("jails.d/sshd.yaml", 7, "sshd.rules.ip.bantime", "a duration", "ten minutes", jail="sshd")
    line = encode_error(1, ConfigError("1 problem; the running configuration was kept", problems=[problem]))
    with pytest.raises(ControlError, match="1 problem; the running configuration was kept") as caught:
        decode_reply(line, 1)
    assert caught.value.code == 78
    assert caught.value.problems == (problem,)
    assert json.loads(encode_error(1, caught.value)) == json.loads(line)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"HTTP/1.1 400 Bad Request",
        b"[]",
        b"[" * 100_000,
        b'{"jsonrpc": "2.0", "id": 2, "result": 1}',
        b'{"jsonrpc": "2.0", "id": null, "result": 1}',
        b'{"jsonrpc": "2.0", "id": 1}',
        b'{"jsonrpc": "2.0", "id": 1, "error": "no"}',
        b'{"jsonrpc": "2.0", "id": 1, "error": {"code": 1}}',
    ],
)
def test_what_is_no_reply_to_this_request_is_told_apart(line: bytes) -> None:
    """Another program behind the socket raises ValueError and nothing else."""
    with pytest.raises(ValueError, match=r"Expecting|not a reply|nested|neither"):
        decode_reply(line, 1)


@pytest.mark.parametrize("data", ["null", "[]", '{"exit": "x", "problems": 7}', '{"exit": 0, "problems": [7, {"file": "x"}]}'])
def test_an_error_without_our_data_is_a_refusal(data: str) -> None:
    """Errors of other servers mean exit code 1."""
    with pytest.raises(ControlError) as caught:
        decode_reply(f'{{"id": 1, "error": {{"code": 1, "message": "no", "data": {data}}}}}'.encode(), 1)
    assert (caught.value.code, caught.value.problems) == (1, ())


@given(st.lists(st.binary(max_size=30).map(lambda data: data.replace(b"x", b"\n"))))
def test_chunking_is_invisible(chunks: list[bytes]) -> None:
    """However the bytes arrive, the lines are the same."""
    whole, pieces = Lines(), Lines()
    assert list(whole.feed(b"".join(chunks))) == [line for chunk in chunks for line in pieces.feed(chunk)]
    assert whole.half == pieces.half == (not b"".join(chunks).endswith(b"\n") and any(chunks))


@pytest.mark.parametrize("data", [b"ok\n12345678", b"ok\n12345678\n"])
def test_a_line_beyond_the_limit_is_refused_after_those_before_it(data: bytes) -> None:
    """The bound is exact, and it does not wait for the newline."""
    assert list(Lines(8).feed(data)) == data.split(b"\n")[: data.count(b"\n")]
    feed = Lines(7).feed(data)
    assert next(feed) == b"ok"
    with pytest.raises(RequestError, match="the request is longer than 7 bytes"):
        next(feed)
