"""Words of the configuration as values: each function takes the text that was typed and raises UnfitError if it does not fit."""

import re
import warnings
from collections.abc import Callable
from ipaddress import ip_address
from zoneinfo import ZoneInfo

from banwatch.address import parse_network, render_network
from banwatch.config.problem import UnfitError
from banwatch.filter.scan import check_encoding
from banwatch.model import ALLOW, Target

NAME = "a name of letters, digits, _ . and -, not beginning with -"
ABSOLUTE = "an absolute path"
IGNORED = "an address, a network or login:NAME"
ZONE = 'a time zone like "Europe/Berlin"'
ENCODING = 'an encoding that has ASCII in it, like "utf-8"'
INTERFACE = 'a network interface like "eth0"'
SET = "the stem of existing sets: 1 to 29 of letters, digits, _ . : and -, not beginning with -"
LOOPBACK = 'a loopback address like "127.0.0.1"'
DOMAIN = 'a domain like "example.org"'
LOGIN = "a login without a realm"
SEPARATOR = "one of + - _ = ! # or none"
REGEX = "a regex in single quotes"
FIELD = "a field like status or request.remote_ip"
MATCH = "words like SYSLOG_IDENTIFIER=sshd _UID=0, each field once"

_NAME = re.compile(r"(?!-)[A-Za-z0-9_.-]{1,64}")
_SET = re.compile(r"(?!-)[A-Za-z0-9_.:-]{1,29}")
_INTERFACE = re.compile(r"(?!-)[A-Za-z0-9_.:@-]{1,15}\+?")
_GROUP = re.compile(r"(?!-)[A-Za-z0-9_.-]{1,32}")
_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,20}")
_LOGIN = re.compile(r"[^\s@\\]{1,254}")
_MATCH = re.compile(r"(_?[A-Z][A-Z0-9_]{0,62})=[!-~]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

Parse = Callable[[str], object]


def one_of(*words: str, but: str = "") -> Parse:
    """A function that takes these words only; `but` says why others do not fit yet."""
    expected = f"{one_of_text(words)} ({but})" if but else one_of_text(words)

    def parse(text: str) -> str:
        if text not in words:
            raise UnfitError(expected, text)
        return text

    return parse


def one_of_text(words: tuple[str, ...]) -> str:
    """`a, b or c`, for messages."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def parse_flag(text: str) -> bool:
    """true or false, in any of YAML's usual spellings."""
    flag = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.get(text.lower())
    if flag is None:
        raise UnfitError("true or false", text)
    return flag


def parse_enabled(text: str) -> str:
    """`auto`, `true` or `false`."""
    if text == "auto":
        return text
    try:
        return "true" if parse_flag(text) else "false"
    except UnfitError:
        raise UnfitError("auto, true or false", text) from None


def parse_number(low: int, high: int) -> Parse:
    """A function that takes whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not low <= int(text) <= high:
            raise UnfitError(f"a number from {low} to {high}", text)
        return int(text)

    return parse


def parse_name(text: str) -> str:
    """The name of a rule or a watched service."""
    if not _NAME.fullmatch(text):
        raise UnfitError(NAME, text)
    return text


def parse_filter_name(text: str) -> str:
    """The name of a filter, which is that of its file without .yaml."""
    if not _NAME.fullmatch(text):
        raise UnfitError(f"{NAME} (fail2ban's files are not read yet)", text)
    return text


def parse_jail_name(text: str) -> str:
    """The name of a jail; `allow` is reserved for the set of those who are let in."""
    if text == ALLOW:
        raise UnfitError(f"{NAME}; {ALLOW} is reserved", text)
    return parse_name(text)


def parse_text(text: str) -> str:
    """Any text."""
    return text


def parse_line(text: str) -> str:
    """One line, without its end."""
    line = text.removesuffix("\n")
    if not line or "\n" in line:
        raise UnfitError("a line of a log", text)
    return line


def parse_regex(text: str) -> str:
    """
    A regex as written; whether it compiles is the filter's to say.

    Control characters come from double quotes, where YAML reads \\b as a backspace: such a regex would never match.
    """
    regex = text.removesuffix("\n")
    if not regex or _CONTROL.search(regex):
        raise UnfitError(REGEX, text)
    return regex


def parse_header(text: str) -> str:
    """`syslog`, `none`, `json` or a regex."""
    return parse_regex(text)


def parse_field(text: str) -> str:
    """Where a field is in an object of JSON: `status`, `request.remote_ip`."""
    if not text.isprintable() or not all(text.split(".")):
        raise UnfitError(FIELD, text)
    return text


def parse_path(text: str) -> str:
    """An absolute path of a file, or a glob; a relative one would depend on where the daemon was started."""
    if not text.startswith("/") or text.endswith("/") or "\0" in text:
        raise UnfitError(ABSOLUTE, text)
    return text


def parse_match(text: str) -> str:
    """A journal match: FIELD=value, or several, which all have to hold. What a word cannot hold is written as \\xHH in it."""
    words = text.split()
    found = [_MATCH.fullmatch(word) for word in words]
    fields = {word[1] for word in found if word is not None}
    if not words or len(fields) != len(words):
        raise UnfitError(MATCH, text)
    return " ".join(words)


def parse_log_to(text: str) -> str:
    """`stderr`, `journal` or a file."""
    if text in {"stderr", "journal"}:
        return text
    try:
        return parse_path(text)
    except UnfitError:
        raise UnfitError(f"stderr, journal or {ABSOLUTE}", text) from None


def parse_store_file(text: str) -> str | None:
    """A file, or `none`: None."""
    if text == "none":
        return None
    try:
        return parse_path(text)
    except UnfitError:
        raise UnfitError(f"{ABSOLUTE} or none", text) from None


def parse_ignored(text: str) -> str:
    """Canonical text of whom never to ban; a network that holds everybody would switch all jails off."""
    if text.startswith("login:") and len(text) > len("login:"):
        return str(Target("login", text.removeprefix("login:")))
    try:
        network = parse_network(text)
    except ValueError as error:
        if "host bits" in str(error):
            raise UnfitError("a network without host bits, like 192.0.2.0/24", text) from None
        raise UnfitError(f"{IGNORED} (host names and files are not supported yet)", text) from None
    if network.prefixlen == 0 or (network.num_addresses == 1 and network.network_address.is_unspecified):
        raise UnfitError(f"{IGNORED}; this one is everybody or nobody", text)
    return render_network(network)


def parse_zone(text: str) -> str:
    """A name that the system's time zone data has."""
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise UnfitError(ZONE, text) from None
    return text


def parse_encoding(text: str) -> str:
    """A text encoding in which ASCII bytes mean what they mean in ASCII: lines are cut and searched as bytes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            check_encoding(text)
        except ValueError:
            raise UnfitError(ENCODING, text) from None
    return text


def parse_interface(text: str) -> str:
    """The name of a network interface; a + at the end stands for the rest, as in iptables."""
    if not _INTERFACE.fullmatch(text):
        raise UnfitError(INTERFACE, text)
    return text


def parse_set(text: str) -> str:
    """The stem of existing sets; -4 and -6 go behind it, and a set's name has at most 31 characters."""
    if not _SET.fullmatch(text):
        raise UnfitError(SET, text)
    return text


def parse_domain(text: str) -> str:
    """A domain, or the name of a host, in small letters."""
    if not _DOMAIN.fullmatch(text.lower()):
        raise UnfitError(DOMAIN, text)
    return text.lower()


def parse_login(text: str) -> str:
    """A login in small letters, without a realm."""
    if not _LOGIN.fullmatch(text):
        raise UnfitError(LOGIN, text)
    return text.lower()


def parse_separator(text: str) -> str:
    """What stands before an extension; empty for `none`."""
    if text == "none":
        return ""
    if len(text) != 1 or text not in "+-_=!#":
        raise UnfitError(SEPARATOR, text)
    return text


def parse_group(text: str) -> str:
    """The name of a group of users."""
    if not _GROUP.fullmatch(text):
        raise UnfitError("a group's name", text)
    return text


def parse_loopback(text: str) -> str:
    """An address that only this host can reach: what is served there asks nobody who they are."""
    try:
        if ip_address(text).is_loopback:
            return text
    except ValueError:
        pass
    raise UnfitError(LOOPBACK, text)
