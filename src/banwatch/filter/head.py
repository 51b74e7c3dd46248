"""What the last line's head said, so that the next one, which mostly has the same, need not be read."""

import re
from typing import Final

_RFC_3339: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:(?P<seconds>[0-9]{2}\.[0-9]+)(?:Z|[+-].*)?")


class Head:
    """
    The last head of this form: what it said, and by what the next line can be known to have the same one.

    A head of RFC 3339 differs in its seconds only, which are `width` characters between `text` and `tail`; of another kind
    all of it is `text`. `minute` is the time without these seconds.
    """

    __slots__ = ("at", "dated", "minute", "session", "tail", "text", "width")

    def __init__(self, dated: bool) -> None:
        self.dated = dated
        self.at: float | None = None
        self.session: str | None = None
        self.minute = 0.0
        self.forget()

    def forget(self) -> None:
        self.text, self.tail, self.width = "\n", "", 0  # no line begins like this

    def skip(self, line: str) -> int:
        """Where the head of `line` ends if it is known, which sets `at`; else -1."""
        if not line.startswith(self.text):
            return -1
        behind = len(self.text)
        if not self.tail:
            return behind
        seconds = line[behind : behind + self.width]
        behind += self.width
        if not line.startswith(self.tail, behind) or not is_seconds(seconds):
            return -1
        self.at = self.minute + float(seconds)
        return behind + len(self.tail)

    def remember(self, text: str, date: str) -> None:
        """The text of a whole head, and that of its date."""
        self.text, self.tail, self.width = text, "", 0
        if self.at is not None and (found := _RFC_3339.fullmatch(date)) is not None:
            seconds = found["seconds"]
            place = text.index(date) + found.start("seconds")
            self.text, self.tail, self.width = text[:place], text[place + len(seconds) :], len(seconds)
            self.minute = float(round(self.at - float(seconds)))


def is_seconds(text: str) -> bool:
    """Whether it is two digits of seconds with a fraction, as a date has them."""
    return text[2:3] == "." and text < "61" and text.isascii() and text[:2].isdigit() and text[3:].isdigit()
