"""Every method of the control socket with its parameters, as a table. Pure. Reference: docs/control-protocol.md."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from banwatch.config.duration import LONGEST
from banwatch.control.protocol import INVALID_PARAMS, METHOD_NOT_FOUND, Request, RequestError, is_number, is_text
from banwatch.errors import EXIT_USAGE


class Kind(NamedTuple):
    """What a parameter has to be, in words and as a test."""

    expected: str
    holds: Callable[[object], bool]


class Param(NamedTuple):
    name: str
    kind: Kind
    required: bool = False


class Method(NamedTuple):
    """
    Args:
        reads: True when it changes nothing and shows no lines of logs, so that those may use it who may only ask.
        one_of: exactly one of these has to be given, neither empty nor false.
    """

    name: str
    reads: bool
    params: tuple[Param, ...] = ()
    one_of: tuple[str, ...] = ()


def is_seconds(value: object) -> bool:
    """Whether it is a duration: a number of seconds, more than none, at most ten years."""
    return is_number(value) and 0 < value <= LONGEST  # type: ignore[operator]


NAME = Kind("a jail's name or null", lambda value: value is None or (is_text(value) and value != ""))
WHO = Kind("a list of addresses, networks or login:NAME", lambda value: isinstance(value, list) and all(map(is_text, value)))
SECONDS = Kind(f"seconds, at most {LONGEST} (ten years), or null for ever", lambda value: value is None or is_seconds(value))
ONE = Kind("an address, a network or login:NAME", is_text)
ONE_OR_ALL = Kind(f"{ONE.expected}, or null", lambda value: value is None or is_text(value))
BANS = Kind("a list of bans, each as `export` gives it", lambda value: isinstance(value, list))
INSTANT = Kind("UTC seconds since the epoch, or null", lambda value: value is None or is_number(value))
FLAG = Kind("true or false", lambda value: isinstance(value, bool))

_TABLE = (
    Method("ping", reads=True),
    Method("status", reads=True, params=(Param("jail", NAME),)),
    Method("banned", reads=True),
    Method("allowed", reads=True),
    Method("logins", reads=True),
    Method(
        "ban",
        reads=False,
        params=(
            Param("jail", NAME),
            Param("who", WHO, required=True),
            Param("for", SECONDS),
            Param("force", FLAG),
            Param("check", FLAG),
        ),
        one_of=("who",),
    ),
    Method(
        "unban",
        reads=False,
        params=(Param("jail", NAME), Param("who", WHO), Param("all", FLAG), Param("check", FLAG)),
        one_of=("who", "all"),
    ),
    Method(
        "allow",
        reads=False,
        params=(Param("who", WHO, required=True), Param("for", SECONDS), Param("check", FLAG)),
        one_of=("who",),
    ),
    Method("why", reads=False, params=(Param("who", ONE, required=True),)),
    Method("history", reads=False, params=(Param("who", ONE_OR_ALL), Param("since", INSTANT))),
    Method("export", reads=True),
    Method("import", reads=False, params=(Param("bans", BANS, required=True),), one_of=("bans",)),
    Method("reload", reads=False),
    Method("stop", reads=False, params=(Param("flush", FLAG),)),
)
METHODS: Mapping[str, Method] = {method.name: method for method in _TABLE}


def check_request(request: Request) -> Method:
    """
    The method that `request` is for, after all its parameters were found right.

    Raises:
        RequestError: no such method, or a parameter is unknown, missing or of the wrong kind.
    """
    method = METHODS.get(request.method)
    if method is None:
        raise RequestError(METHOD_NOT_FOUND, f"unknown method {request.method!r}", f"methods: {', '.join(METHODS)}")
    kinds = {param.name: param.kind for param in method.params}
    for name, value in request.params.items():
        if name not in kinds:
            hint = f"parameters of {method.name}, by name: {', '.join(kinds) or 'none'}"
            raise RequestError(INVALID_PARAMS, f"{method.name}: unknown parameter {name!r}", hint, EXIT_USAGE)
        if not kinds[name].holds(value):
            raise RequestError(INVALID_PARAMS, f"{method.name}: {name}: expected {kinds[name].expected}", code=EXIT_USAGE)
    missing = [param.name for param in method.params if param.required and param.name not in request.params]
    if missing:
        raise RequestError(INVALID_PARAMS, f"{method.name}: {missing[0]} is missing", code=EXIT_USAGE)
    if method.one_of and sum(bool(request.params.get(name)) for name in method.one_of) != 1:
        raise RequestError(INVALID_PARAMS, f"{method.name}: expected {' or '.join(method.one_of)}", code=EXIT_USAGE)
    return method
