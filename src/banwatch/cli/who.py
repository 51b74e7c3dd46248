"""[JAIL] WHO… as operators type and pipe it."""

import re
from collections.abc import Iterable, Sequence
from typing import BinaryIO

from banwatch.errors import EXIT_REFUSED, EXIT_USAGE, ControlError

STDIN = "-"
_ADDRESS_LIKE = re.compile(r"[0-9.]+|.*[:/].*")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_TOLD = 10
"""How many wrong words a message lists."""


def split_jail(words: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """
    The jail, if the first word is none of WHO, and the other words.

    A word of digits and dots only, or with a colon or slash, is meant as WHO, even if it is a mistyped one: no jail is
    called like that.
    """
    if words and words[0] != STDIN and not _ADDRESS_LIKE.fullmatch(words[0]):
        return words[0], words[1:]
    return None, words


def collect_who(words: Sequence[str], stdin: BinaryIO) -> list[str]:
    """
    Everybody that `words` name; `-` stands for the lines of standard input, where # begins a comment.

    Raises:
        ControlError: some of them are no WHO (all of those are listed), or there is nobody at all.
    """
    who: list[str] = []
    wrong: list[str] = []
    for word in words:
        named = _lines(stdin) if word == STDIN else ((None, word),)
        for number, text in named:
            try:
                _check(text)
                who.append(text)
            except ValueError as error:
                wrong.append(str(error) if number is None else f"line {number}: {error}")
    if wrong:
        more = f"; and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
        raise ControlError("; ".join(wrong[:_TOLD]) + more, "nothing was changed", EXIT_USAGE)
    if not who and STDIN in words:
        raise ControlError("standard input names nobody", code=EXIT_REFUSED)
    if not who:
        raise ControlError("nobody is named", "an address, a network, login:NAME, or - to read them", EXIT_USAGE)
    return who


def _check(text: str) -> None:
    from banwatch.address import parse_who  # costs 15 ms, which ping and status need not spend

    parse_who(text)


def _lines(stdin: BinaryIO) -> Iterable[tuple[int, str]]:
    for number, line in enumerate(stdin, 1):
        # Decoded as log lines are, so that a login copied from there is the same text here.
        text = _COMMENT.sub("", line.decode("utf-8", "backslashreplace")).strip()
        if text:
            yield number, text
