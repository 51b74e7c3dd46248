"""The head of an HTTP/1.1 request as a value: strict, and bounded by whoever reads it. Pure. Source: RFC 9112."""

import re
from collections.abc import Mapping
from typing import NamedTuple

_REQUEST_LINE = re.compile(r"([A-Z]{1,16}) (/[!-~]*) HTTP/1\.[01]")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*)")


class Head(NamedTuple):
    """
    A request's method, its target as it was sent, and its headers by their names in small letters; where one stands several
    times its values are joined by commas.
    """

    method: str
    target: str
    headers: Mapping[str, str]


def parse_head(head: bytes) -> Head | None:
    """The request whose line and headers are `head`, with or without the empty line at its end; None if it is none."""
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    request = _REQUEST_LINE.fullmatch(first)
    if request is None:
        return None
    headers: dict[str, str] = {}
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            return None
        name, value = header[1].lower(), header[2]
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return Head(request[1], request[2], headers)
