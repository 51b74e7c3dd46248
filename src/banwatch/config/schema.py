"""
Every key of the configuration as a table: what it takes, what holds without it, and what it is for.

`read.py` walks these tables to turn text into values, `reference.py` to write docs/configuration.md.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from banwatch.config import convert as to
from banwatch.config.duration import BANTIME, DURATION, LIMIT, parse_duration, parse_limit, parse_seconds
from banwatch.config.ports import ALL, PORT, parse_port
from banwatch.model import KINDS, SUCCESS


class Scalar(NamedTuple):
    """One word; `parse` raises UnfitError. With `null` an unquoted null is this word."""

    expected: str
    parse: Callable[[str], object]
    null: bool = False


class Many(NamedTuple):
    """A list of words, with `empty` perhaps of none; `alone` is the one word that may stand there without being a list,
    and with no other in one."""

    item: Scalar
    expected: str
    alone: str | None = None
    empty: bool = False


class Both(NamedTuple):
    """A list of exactly two words."""

    first: Scalar
    second: Scalar
    expected: str


class Regexes(NamedTuple):
    """A list of regexes; also one by itself, or a | block with one in each line."""

    parse: Callable[[str], object] = to.parse_regex
    expected: str = "a list of regexes, each in single quotes"


class Fields(NamedTuple):
    """A mapping with these keys and no others; a word in its place is the value of `short`, if that is one of them."""

    keys: "Mapping[str, Key]"
    expected: str
    short: str = ""


class Named(NamedTuple):
    """A mapping whose keys are names that the operator chooses. null deletes an entry, or with `nulls` is a value: None."""

    name: Callable[[str], str]
    item: "Value"
    expected: str
    nulls: bool = False


class Each(NamedTuple):
    """A list of mappings."""

    item: "Fields | Named"
    expected: str


Value = Scalar | Many | Both | Regexes | Fields | Named | Each


class Key(NamedTuple):
    """`default` is what could be written to the same effect; None means there is none, `without` then says what happens."""

    value: Value
    about: str
    default: str | tuple[str, ...] | None = None
    required: bool = False
    without: str = ""


def _choice(*words: str, null: bool = False, but: str = "") -> Scalar:
    return Scalar(to.one_of_text(words), to.one_of(*words, but=but), null)


def _by_kind(about: str) -> Fields:
    return Fields({kind: Key(Regexes(), about) for kind in KINDS}, "a mapping of kinds, each with its regexes")


def _conditions_by_kind(about: str) -> Fields:
    return Fields({kind: Key(_ENTRIES, about) for kind in KINDS}, "a mapping of kinds, each with its mappings of fields")


_TEXT = Scalar("text", to.parse_text)
_FLAG = Scalar("true or false", to.parse_flag)
_BANTIME = Scalar(BANTIME, parse_duration)
_LIMIT = Scalar(LIMIT, parse_limit)
_KIND = _choice(*KINDS)
_IGNOREIP = Many(Scalar(to.IGNORED, to.parse_ignored), "a list like [192.0.2.0/24, 2001:db8::/48]", empty=True)
_NAMES = Many(Scalar(to.LOGIN, to.parse_login), "a list like [root]", empty=True)
_LOGINS = Fields(
    {
        "domain": Key(Scalar(to.DOMAIN, to.parse_domain), "the domain of logins that have none", without="they stay without"),
        "realms": Key(
            Many(Scalar(to.DOMAIN, to.parse_domain), "a list like [mx1]", empty=True),
            "realms that say nothing, like a host's name that SASL appends: dropped",
            without="`[localhost]`",
        ),
        "extension": Key(
            Scalar(to.SEPARATOR, to.parse_separator), "what stands before an extension; `none`: there are none", without="`+`"
        ),
    },
    "a mapping like {domain: example.org}",
)
_WIDTHS = Both(
    Scalar("an IPv4 prefix length from 8 to 32", to.parse_number(8, 32)),
    Scalar("an IPv6 prefix length from 32 to 128", to.parse_number(32, 128)),
    "two prefix lengths like [24, 48]",
)

RULE = Fields(
    {
        "count": Key(Many(_KIND, "a list of kinds like [auth]"), "the kinds of failure that count", required=True),
        "by": Key(_choice("ip", "net", "login"), "what is counted: the address, its network, or the login", required=True),
        "limit": Key(
            _LIMIT,
            "the attempt that makes it `maxretry` within the last `findtime` (an exact sliding window) bans",
            without="`defaults.limit`; one of the two has to be there",
        ),
        "bantime": Key(_BANTIME, "how long a ban lasts", without="the jail's"),
        "prefix": Key(_WIDTHS, "how wide a network is, for IPv4 and IPv6", default=("24", "48")),
        "ban": Key(
            Many(_choice("key", "hosts", "net"), "a list like [key]"),
            "who is banned: `key` (what was counted), `hosts` (the addresses that took part), `net` (the last one's network)",
            default=("key",),
        ),
        "logins": Key(
            _choice("any", "known"), "for `by: login`: `known` counts only those that were seen to get in once", default="any"
        ),
        "exempt": Key(
            _NAMES,
            "for `by: login`: who is never counted, with any realm, since everybody tries these names",
            default=("root", "toor", "administrator"),
        ),
        "strict": Key(_FLAG, "for logins: true keeps a banned login out from its own networks, too", default="false"),
        "delay": Key(
            Scalar(DURATION, parse_seconds),
            "for logins: how long a ban only slows attempts down, before it refuses them",
            without="it refuses at once",
        ),
    },
    "a rule like {count: [auth], by: ip, limit: 3/10m}",
)

WATCH = Fields(
    {
        "filter": Key(Scalar(to.NAME, to.parse_filter_name), "the filter", without="the one that is named like this entry"),
        "logs": Key(
            Many(Scalar(to.ABSOLUTE, to.parse_path), "a list of paths like [/var/log/auth.log]", empty=True),
            "files, also as globs; they may appear later. The same event must not stand in two of them",
            default=(),
        ),
        "journal": Key(
            Many(Scalar(to.MATCH, to.parse_match), "a list like ['SYSLOG_IDENTIFIER=sshd _UID=0']", empty=True),
            "matches of the systemd journal: the words of one item all hold, any item does",
            default=(),
        ),
        "source": Key(
            _choice("auto", "journal", "logs"),
            "which of the two is read; `auto`: the journal if it can be read and has entries of the service, else the logs",
            default="auto",
        ),
        "timezone": Key(Scalar(to.ZONE, to.parse_zone), "of dates that name none", without="this system's"),
        "encoding": Key(Scalar(to.ENCODING, to.parse_encoding), "of the lines", default="utf-8"),
    },
    "a mapping like {logs: [/var/log/auth.log]}",
)

_ALARM = Fields(
    {
        "networks": Key(
            _LIMIT,
            "how many networks (IPv4 /24, IPv6 /64) a login got in from, and within which time, when it looks compromised",
            without="no alarm",
        ),
        "ban": Key(_FLAG, "true: the login is banned, too", default="false"),
        "bantime": Key(_BANTIME, "for how long", default="1h"),
    },
    "a mapping like {networks: 10/1h}",
)

JAIL = Fields(
    {
        "enabled": Key(
            Scalar("auto, true or false", to.parse_enabled),
            "`auto` is on as soon as one of its sources exists",
            default="auto",
        ),
        "enforce": Key(_FLAG, "false: decides, counts and reports, but bans nobody", default="true"),
        "watch": Key(
            Named(to.parse_name, WATCH, "a mapping of services to watch"),
            "the services it watches, together",
            without="bans by command only",
        ),
        "rules": Key(
            Named(to.parse_name, RULE, "a mapping of rules by name"),
            "what it counts, by names of your choice",
            without="nothing is counted",
        ),
        "bantime": Key(_BANTIME, "for rules that have none, and for bans by command", without="`defaults.bantime`"),
        "ports": Key(
            Many(Scalar(PORT, parse_port), "a list of ports like [22]", alone=ALL),
            "the ports that a ban closes: numbers, ranges, names; `all` is every tcp and udp port",
            default=ALL,
        ),
        "protocol": Key(Many(_choice("tcp", "udp"), "a list like [tcp]"), "of these ports", default=("tcp",)),
        "interface": Key(Scalar(to.INTERFACE, to.parse_interface), "the only interface on which the ban holds", without="all"),
        "action": Key(_choice("drop", "reject"), "what happens to packets", default="drop"),
        "hook": Key(
            Many(_choice("input", but="others are not supported yet"), "a list like [input]", alone="input"),
            "the path of packets on which the ban holds",
            default="input",
        ),
        "ignoreip": Key(_IGNOREIP, "who is never banned here, besides those in `defaults.ignoreip`", default=()),
        "usedns": Key(_choice("no", but="names are never looked up"), "names in logs are never looked up", default="no"),
        "replaces": Key(
            Many(Scalar(to.NAME, to.parse_name), "a list of jails like [dovecot]", empty=True),
            "jails that are left out while this one is enabled, because it counts the same",
            default=(),
        ),
        "login": Key(_LOGINS, "how logins are written, so that one account is one key"),
        "alarm": Key(_ALARM, "when an account looks compromised"),
        "set": Key(
            Scalar(to.SET, to.parse_set), "existing sets NAME-4 and NAME-6 of ipset to put bans into", without="sets of its own"
        ),
    },
    "a jail: a mapping of its keys",
)

_EXPECTATION = Named(to.parse_text, _TEXT, "what to compare, like {ip: 192.0.2.7, login: root}", nulls=True)

EXAMPLE = Fields(
    {
        "log": Key(Scalar("a line of a log", to.parse_line), "the whole line", required=True),
        "why": Key(_TEXT, "what it is there to show"),
    }
    | {kind: Key(_EXPECTATION, "what the line has to give") for kind in (*KINDS, SUCCESS)},
    "an example like {log: '…', auth: {ip: 192.0.2.7}}",
)

_WHERE = Regexes(to.parse_field, "a field like request.remote_ip, or a list of them")
_PLACES = Fields(
    {
        "ip": Key(_WHERE, "the address, also with a port"),
        "login": Key(_WHERE, "the login"),
        "date": Key(_WHERE, "the date: any that is known, or seconds (milliseconds, …) since 1970"),
        "session": Key(_WHERE, "what the lines of one session have in common"),
    },
    "a mapping like {ip: request.remote_ip, login: user_id}",
)
_ENTRIES = Each(
    Named(
        to.parse_field,
        Scalar(to.REGEX, to.parse_regex),
        "a mapping of fields, each with a regex, like {status: '401'}",
        nulls=True,
    ),
    "a list of mappings of fields, each with a regex for its whole value or null where it must be absent, like [{status: '401'}]",
)

FILTER = Fields(
    {
        "description": Key(_TEXT, "one line about it", default=""),
        "program": Key(
            Scalar(to.REGEX, to.parse_regex),
            "regex for the whole program name in the header; lines of other programs are never looked at",
            without="any program",
        ),
        "header": Key(
            Regexes(to.parse_header, "syslog, none, json, a regex, or a list of them"),
            "what stands before the message: `syslog`, `none`, or a regex, which may have `<DATE>` in it; tried in order. "
            "`json` is for objects of JSON, which stand alone or, if another one is in the list too, behind that",
            default=("syslog",),
        ),
        "date": Key(_TEXT, "format of the date, like '%Y-%m-%d %H:%M:%S'", without="any that is known"),
        "failregex": Key(_by_kind("lines that tell of such a failure"), "regexes for the message, by kind"),
        "hintregex": Key(
            _by_kind("lines that tell again of such a failure"),
            "as failregex, for lines about an attempt that another line of the session tells of too: together they count once",
        ),
        "successregex": Key(Regexes(), "lines that tell of a good login", default=()),
        "fields": Key(
            _PLACES,
            "where these are in objects of JSON; of several fields the first that is filled",
        ),
        "failfields": Key(
            _conditions_by_kind("objects of JSON that tell of such a failure"),
            "as failregex, for objects of JSON",
        ),
        "hintfields": Key(
            _conditions_by_kind("objects of JSON that tell again of such a failure"), "as hintregex, for objects of JSON"
        ),
        "successfields": Key(_ENTRIES, "objects of JSON that tell of a good login", default=()),
        "ignoreregex": Key(Regexes(), "lines that are none of these", default=()),
        "examples": Key(
            Each(EXAMPLE, "a list of examples"),
            "lines and what they have to give (ip, login, count, hint, session, or a capture), under the kind or `success`, "
            "without either: the line must not match. `banwatch check` tries them",
            default=(),
        ),
    },
    "a filter: a mapping of its keys",
)

_DEFAULTS = Fields(
    {
        "limit": Key(_LIMIT, "for rules that have none", without="every rule needs its own"),
        "bantime": Key(_BANTIME, "for jails that have none", default="10m"),
        "ignoreip": Key(_IGNOREIP, "who is never banned by any jail", default=()),
        "login": Key(_LOGINS, "for jails that do not say how logins are written"),
    },
    "a mapping like {bantime: 10m}",
)
_LOG = Fields(
    {
        "to": Key(
            Scalar(f"stderr, journal or {to.ABSOLUTE}", to.parse_log_to), "where the daemon's own log goes", default="stderr"
        ),
        "format": Key(_choice("text", "json"), "how its lines look", default="text"),
        "level": Key(_choice("debug", "info", "warning", "error"), "the least important that is still written", default="info"),
    },
    "a mapping like {to: stderr, format: text}",
)
_METRICS = Fields(
    {
        "host": Key(Scalar(to.LOOPBACK, to.parse_loopback), "where /metrics is served", default="127.0.0.1"),
        "port": Key(Scalar("a port number, or 0 for none", to.parse_number(0, 65535)), "0 switches it off", default="9191"),
    },
    "a mapping like {port: 9191}",
)
_CONTROL = Fields(
    {
        "socket": Key(
            Scalar(to.ABSOLUTE, to.parse_path), "where banwatch-client finds the daemon", default="/run/banwatch/banwatch.sock"
        ),
        "group": Key(
            Scalar("a group's name", to.parse_group), "the group that may ask and change, as root may", default="banwatch"
        ),
        "ask": Key(_FLAG, "true: everybody on this host may ask, but not change", default="false"),
    },
    "a mapping like {group: adm}",
)
_FIREWALL = Fields(
    {
        "backend": Key(
            _choice("auto", "ipset", "nftables", "null", null=True),
            "what enforces the bans; `auto` is ipset where it can be had, else nftables; `null` enforces nothing",
            default="auto",
        )
    },
    "a mapping like {backend: ipset}",
)
_POLICY = Fields(
    {
        "host": Key(Scalar(to.LOOPBACK, to.parse_loopback), "where Dovecot's auth policy is answered", default="127.0.0.1"),
        "port": Key(Scalar("a port number, or 0 for none", to.parse_number(0, 65535)), "0 switches it off", default="0"),
        "key": Key(
            Scalar(to.ABSOLUTE, to.parse_path),
            "the file with the API key; it is made if it is missing",
            default="/var/lib/banwatch/policy.key",
        ),
        "smtp": Key(
            _choice("exim4", "postfix", "dovecot"),
            "the filter that reads the log of the SMTP server that lets Dovecot check passwords",
            default="exim4",
        ),
    },
    "a mapping like {port: 4001}",
)
_EXIM = Fields(
    {
        "socket": Key(Scalar(to.ABSOLUTE, to.parse_path), "where Exim asks, by ${readsocket}", without="it cannot"),
        "group": Key(Scalar("a group's name", to.parse_group), "the group that may ask", default="Debian-exim"),
    },
    "a mapping like {socket: /run/banwatch/exim.sock}",
)
_FILES = Fields(
    {
        "directory": Key(
            Scalar(to.ABSOLUTE, to.parse_path), "where they are; banwatch's own", default="/var/lib/banwatch/logins"
        ),
        "pam": Key(_FLAG, "true: writes `pam-access`, for pam_access", default="false"),
        "dovecot": Key(_FLAG, "true: writes `dovecot-deny`, a passwd-file for `deny = yes`", default="false"),
        "exim": Key(_FLAG, "true: writes `exim-deny`, for lsearch", default="false"),
    },
    "a mapping like {pam: true}",
)
_DOORS = Fields(
    {
        "dovecot": Key(_POLICY, "Dovecot's auth policy over HTTP"),
        "exim": Key(_EXIM, "Exim's socket"),
        "files": Key(_FILES, "files that services read"),
        "kick": Key(
            Many(Scalar("a word", to.parse_text), "a list like [doveadm, kick]", empty=True),
            "a program with its arguments that ends the sessions of a login that is banned; its name goes behind them",
            default=(),
        ),
    },
    "a mapping like {dovecot: {port: 4001}}",
)
_STORE = Fields(
    {
        "file": Key(
            Scalar(f"{to.ABSOLUTE} or none", to.parse_store_file),
            "the database of bans, allowances, counts, history and places in the logs, which outlives the daemon; "
            "`none` remembers nothing but what the kernel holds",
            default="/var/lib/banwatch/banwatch.db",
        ),
        "history": Key(
            Scalar(BANTIME, parse_duration),
            "how long `banwatch-client history` knows of a ban (100,000 entries at most)",
            default="30d",
        ),
    },
    "none, an absolute path, or a mapping like {file: /var/lib/banwatch/banwatch.db, history: 30d}",
    short="file",
)

DAEMON = Fields(
    {
        "defaults": Key(_DEFAULTS, "what holds where a jail or rule says nothing"),
        "log": Key(_LOG, "the daemon's own log"),
        "metrics": Key(_METRICS, "numbers for Prometheus"),
        "control": Key(_CONTROL, "the socket of banwatch-client"),
        "firewall": Key(_FIREWALL, "the kernel's side"),
        "doors": Key(_DOORS, "how services are told of banned logins"),
        "store": Key(_STORE, "what is remembered over a restart"),
    },
    "the daemon's keys",
)
