"""
failregex as the operator writes it, with tags → compiled regex.

The tags are fail2ban's. <HOST> takes addresses only, since names in logs are not resolved; whether it is an address indeed
is for address.canonical_ip to say, so the regexes here are generous and cheap. Ours beside them: <F-COUNT> is how many
attempts the line stands for, <F-SESSION> what the lines of one session have in common.
"""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from banwatch.filter.engines import Chosen, choose_engine
from banwatch.filter.linear import find_doubt
from banwatch.filter.tree import looks_back, parse, refers

IP4: Final = r"(?<![0-9.])[0-9.]{6,14}[0-9](?![0-9])"
IP6: Final = r"[0-9a-fA-F]{0,4}:[0-9a-fA-F:]*[0-9a-fA-F:](?:\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3})?(?:%[0-9a-zA-Z._-]+)?"
_HOST: Final = rf"\[?(?P<ip>{IP4}|{IP6})\]?"
_CIDR: Final = r"(?P<cidr>[0-9]{1,3})"

TAGS: Final[Mapping[str, str]] = {
    "<HOST>": _HOST,
    "<ADDR>": _HOST,
    "<F-ADDR/>": _HOST,
    "<SUBNET>": rf"\[?(?P<ip>{IP4}|{IP6})(?:/{_CIDR})?\]?",
    "<CIDR>": _CIDR,
    "<IP4>": rf"(?P<ip4>{IP4})",
    "<F-IP4/>": rf"(?P<ip4>{IP4})",
    "<IP6>": rf"(?P<ip6>{IP6})",
    "<F-IP6/>": rf"(?P<ip6>{IP6})",
    "<DNS>": r"(?P<dns>[\w\-.^_]*\w)",
    "<F-DNS/>": r"(?P<dns>[\w\-.^_]*\w)",
    "<F-ID/>": r"(?P<fid>\S+)",
    "<F-PORT/>": r"(?P<fport>\w+)",
}
_RENAMED: Final = {"id": "fid", "port": "fport"}
_TAG: Final = re.compile(r"</?[A-Z][A-Z0-9_-]*/?>")
_GLOBAL_FLAGS: Final = re.compile(r"\(\?([aiLmsux]+)\)")
# Comments and verbose mode: there brackets need not be brackets.
_OPAQUE: Final = re.compile(r"\(\?#|\(\?[a-zA-Z]*x")

COMMON: Final = ("ip", "user")
IP_NAMES: Final = ("ip", "ip4", "ip6")


def _common_first(name: str) -> tuple[int, str]:
    return (COMMON.index(name) if name in COMMON else len(COMMON), name)


class PatternError(ValueError):
    """A regex of the operator's is no good: what was expected instead."""


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """
    One failregex, hintregex, successregex or ignoreregex.

    Args:
        kind: one of model.KINDS, or SUCCESS.
        index: counts from 0 within its list.
        written: as the operator wrote it.
        source: without tags; what `regex` was compiled from.
        names: its named groups, those of COMMON first.
        ips: those of them that hold the address.
        logins: those of them that hold the login, the first one filled counts.
        chosen: the engine that takes it.
        fused: source as a branch of a regex that is matched at the beginning of the message; None when only a search tells
            the truth, or another engine.
        looks_back: it could see what stands before the message, so nothing may.
    """

    kind: str
    index: int
    hint: bool
    written: str
    source: str
    regex: re.Pattern[str]
    names: tuple[str, ...]
    ips: tuple[str, ...]
    logins: tuple[str, ...]
    chosen: Chosen
    fused: str | None
    looks_back: bool


def expand_tags(text: str) -> str:
    """
    `text` with regexes in the place of its tags; what is no tag stays as it is.

    Raises:
        PatternError: a tag's name cannot name a group.
    """
    opened: set[str] = set()

    def replace(found: re.Match[str]) -> str:
        tag = found[0]
        if tag in TAGS:
            return TAGS[tag]
        if not tag.startswith(("<F-", "</F-")) or tag.endswith("/>"):
            return tag
        name = tag.strip("</>").removeprefix("F-").lower()
        if not name.replace("_", "a").isalnum() or name[0].isdigit():
            raise PatternError(f"a tag made of letters, digits and _ (got {tag})")
        if tag.startswith("</"):
            return ")" if name in opened else tag
        opened.add(name)
        return f"(?P<{_RENAMED.get(name, name)}>"

    return _TAG.sub(replace, text)


def compile_regex(text: str) -> re.Pattern[str]:
    """
    Raises:
        PatternError: `text`, after its tags were replaced, is no regex.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "possible nested set" and the like: it means what it always meant
            return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        reason = error.msg if isinstance(error, re.error) else "too large"
        raise PatternError(f"a regex ({reason})") from None


def check_linear(source: str) -> None:
    """
    Raises:
        PatternError: a regex that is matched at the beginning of every line is not proven to be linear in `re`.
    """
    doubt = find_doubt(rf"\A(?:{source})")
    if doubt is not None:
        raise PatternError(f"a regex that no line can keep busy (this one has {doubt})")


def compile_pattern(text: str, kind: str, index: int, hint: bool, proven: bool = False) -> Pattern:
    """
    Args:
        proven: it is known to be linear in `re`.
    Raises:
        PatternError: not a regex, or (ignoreregex apart, whose kind is empty) it does not say who.
    """
    source = expand_tags(text)
    regex = compile_regex(source)
    names = tuple(sorted(regex.groupindex, key=_common_first))
    ips = tuple(name for name in IP_NAMES if name in names)
    logins = tuple(name for name in ("user", *(n for n in names if n.startswith("alt_user"))) if name in names)
    if kind and not ips and not logins:
        raise PatternError("a tag that says who: <HOST> or <F-USER>")
    chosen = choose_engine(regex, proven)
    fused = _fused(source, regex) if chosen.engine == "re" else (None, True)
    return Pattern(kind, index, hint, text, source, regex, names, ips, logins, chosen, *fused)


def _fused(source: str, regex: re.Pattern[str]) -> tuple[str | None, bool]:
    """
    What of `source` can be a branch of one regex that is matched at the beginning of messages, and still mean the same, or
    None; and whether it could see what stands before the message.

    It has to be anchored, since other branches are not searched for either. A reference to a group by its number, and what
    cannot be taken apart with certainty, stays alone.
    """
    body, flags = source, ""
    if (found := _GLOBAL_FLAGS.match(source)) is not None:
        body, flags = source[found.end() :], found[1]
    if not body.startswith("^") or set(flags) - set("is") or _OPAQUE.search(body):
        return None, True
    body = body[1:]
    try:
        alone = parse(body, regex.flags)
    except re.error:
        return None, True
    # "^a|b" is anchored on one side only: there taking the ^ away changes more than the ^.
    if repr(list(parse(source, 0))[1:]) != repr(list(alone)) or refers(alone):
        return None, True
    return f"(?{flags}:{body})" if flags else body, looks_back(alone)
