"""
JSON-RPC 2.0 with one message per line: bytes ↔ requests and replies. Pure.

docs/control-protocol.md explains it to other programs; which methods there are is said in methods.py.
"""

import json
import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from banwatch.errors import EXIT_REFUSED, EXIT_USAGE, BanwatchError, ConfigError, ControlError

if TYPE_CHECKING:
    from banwatch.config.model import Problem

MAX_REQUEST = 1 << 20
"""Bytes in one request without its newline."""

SLICE = 256
"""How many elements of a long result are encoded at once, so that the loop can do other things in between."""

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
REFUSED = -32000
FORBIDDEN = -32001
BUSY = -32002

Id = str | int | float | None


class RequestError(ControlError):
    """A request that went wrong before, or apart from, what it asks for; `number` is JSON-RPC's error code."""

    def __init__(self, number: int, message: str, hint: str = "", code: int = EXIT_REFUSED, ident: Id = None) -> None:
        super().__init__(message, hint, code)
        self.number = number
        self.ident = ident


class Request(NamedTuple):
    """What a peer asks; a notification wants no reply."""

    method: str
    params: Mapping[str, Any]
    ident: Id = None
    notification: bool = False


def is_text(value: object) -> bool:
    """Whether it is a text that UTF-8 can carry: half a surrogate pair, which JSON can spell, is none."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def is_number(value: object) -> bool:
    """Whether it is a finite number; true and false are none, though Python counts them among the numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -math.inf < value < math.inf


class Lines:
    """
    Cuts what arrives into lines; remembers the unfinished rest.

    Args:
        limit: the longest line in bytes, without its newline.
    """

    def __init__(self, limit: int = MAX_REQUEST) -> None:
        self.limit = limit
        self._rest = bytearray()
        self._seen = 0

    @property
    def half(self) -> bool:
        """Whether a line has begun and not ended."""
        return bool(self._rest)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """
        The lines that `data` completes, without their newlines. To be exhausted before the next call.

        Raises:
            RequestError: a line is too long; the lines before it were given.
        """
        self._rest += data
        while (end := self._rest.find(b"\n", self._seen)) >= 0 and end <= self.limit:
            line = bytes(self._rest[:end])
            del self._rest[: end + 1]
            self._seen = 0
            yield line
        self._seen = len(self._rest)
        if self._seen > self.limit:
            raise RequestError(INVALID_REQUEST, f"the request is longer than {self.limit} bytes", "split it", EXIT_USAGE)


def parse_request(line: bytes) -> Request:
    """
    The request in one line.

    Raises:
        RequestError: it is no JSON or no single request; nothing that follows on this connection can be trusted.
    """
    value = _parse_json(line)
    if isinstance(value, list):
        raise RequestError(INVALID_REQUEST, "batches are not supported", "send one request per line", EXIT_USAGE)
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0":
        raise RequestError(INVALID_REQUEST, 'expected an object with "jsonrpc": "2.0"', code=EXIT_USAGE)
    ident = value.get("id")
    if not (ident is None or is_text(ident) or is_number(ident)):
        raise RequestError(INVALID_REQUEST, "expected a text, a number or null as id", code=EXIT_USAGE)
    method = value.get("method")
    if not isinstance(method, str):
        raise RequestError(INVALID_REQUEST, "expected a text as method", code=EXIT_USAGE, ident=ident)
    params = value.get("params", {})
    if not isinstance(params, dict | list):
        raise RequestError(INVALID_REQUEST, "expected an object as params", code=EXIT_USAGE, ident=ident)
    if isinstance(params, list):
        params = dict.fromkeys(map(str, range(len(params))))  # no parameter is named like that: refused by name later
    return Request(method, params, ident, notification="id" not in value)


def _parse_json(line: bytes) -> Any:
    """
    Raises:
        RequestError: not UTF-8, not JSON (NaN and Infinity are none), nested too deep, or with a number of too many digits.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    try:
        return json.loads(line.decode(), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise RequestError(PARSE_ERROR, f"the request is no JSON: {error}", code=EXIT_USAGE) from None


def encode_request(method: str, params: Mapping[str, object], ident: Id) -> bytes:
    """One line, newline included."""
    return _line({"jsonrpc": "2.0", "id": ident, "method": method, "params": params})


def encode_result(ident: Id, result: object) -> Iterator[bytes]:
    """
    The reply in pieces. An iterator as `result` becomes an array, SLICE elements at a time: so a long list exists nowhere
    as a whole.

    Raises:
        TypeError, ValueError: something in `result` has no JSON; of an iterator's elements only when their turn comes.
    """
    if isinstance(result, Iterator):
        return _encode_array(ident, result)
    return iter((_line({"jsonrpc": "2.0", "id": ident, "result": result}),))


def _encode_array(ident: Id, elements: Iterator[object]) -> Iterator[bytes]:
    yield b'{"jsonrpc":"2.0","id":%b,"result":[' % _json(ident)
    comma = b""
    while some := list(islice(elements, SLICE)):
        yield comma + _json(some)[1:-1]
        comma = b","
    yield b"]}\n"


def encode_error(ident: Id, error: BanwatchError) -> bytes:
    """The reply that tells of `error`, with its hint and the client's exit code."""
    data: dict[str, object] = {"hint": error.hint, "exit": error.code}
    if isinstance(error, ConfigError | ControlError) and error.problems:
        data["problems"] = [problem._asdict() for problem in error.problems]
    number = error.number if isinstance(error, RequestError) else REFUSED
    return _line({"jsonrpc": "2.0", "id": ident, "error": {"code": number, "message": error.message, "data": data}})


def decode_reply(line: bytes, ident: Id) -> Any:
    """
    The result that a reply to request `ident` carries.

    Raises:
        ControlError: the reply is an error.
        ValueError: it is no reply to that request.
    """
    try:
        value = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(value, dict) or value.get("id") not in (ident, None):
        raise ValueError("not a reply to this request")
    if "result" in value and value.get("id") == ident:
        return value["result"]
    error = value.get("error")
    if not isinstance(error, dict) or not isinstance(message := error.get("message"), str):
        raise ValueError("neither a result nor an error")
    data = error.get("data")
    data = data if isinstance(data, dict) else {}
    exit_code = data.get("exit", EXIT_REFUSED)
    raise ControlError(
        message,
        hint=str(data.get("hint", "")),
        code=exit_code if isinstance(exit_code, int) and exit_code > 0 else EXIT_REFUSED,
        problems=_decode_problems(data.get("problems")),
    )


def _decode_problems(values: object) -> "list[Problem]":
    if not isinstance(values, list):
        return []
    from banwatch.config.model import Problem  # costs 10 ms, which only a client that shows problems has to spend

    known = [{key: value[key] for key in Problem._fields if key in value} for value in values if isinstance(value, dict)]
    return [Problem(**value) for value in known if {"file", "line", "key", "expected", "got"} <= value.keys()]


def _json(value: object) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def _line(value: object) -> bytes:
    return _json(value) + b"\n"
