"""Values as specs: defaults, and what only shows when keys are seen together."""

import pytest

from banwatch.config.build import Defaults, build_daemon, build_filter, build_jail
from banwatch.config.model import (
    AlarmSpec,
    ControlSpec,
    DaemonSpec,
    DoorsSpec,
    Example,
    EximSpec,
    FilesSpec,
    FilterSpec,
    FirewallSpec,
    JailSpec,
    Limit,
    LogSpec,
    Mark,
    MetricsSpec,
    PolicySpec,
    Rule,
    StoreSpec,
    Watch,
)
from banwatch.config.problem import render_problem
from banwatch.config.read import Reader
from banwatch.config.tree import Entry, Table, compose, merge
from banwatch.login import Naming

KINDS = {"svc": frozenset({"auth", "scan"}), "web": frozenset({"spam"})}
NOWHERE = Mark("x.yaml", 0)
WATCH = "watch: {svc: {logs: [/x.log]}}\n"
RULE = "rules: {ip: {count: [auth], by: ip, limit: 3/10m}}\n"


def jail(text, defaults=None):
    """The spec and what is said about it."""
    reader = Reader(jail="j", prefix="j")
    spec = build_jail(reader, "j", compose(text, "x.yaml")[0], NOWHERE, defaults or Defaults(), KINDS)
    return spec, [render_problem(problem) for problem in reader.problems]


def daemon(text):
    reader = Reader()
    spec, defaults = build_daemon(reader, compose(text, "banwatch.yaml")[0])
    return spec, defaults, [render_problem(problem) for problem in reader.problems]


def filter_(text):
    reader = Reader(filter="f")
    spec = build_filter(reader, "f", compose(text, "f.yaml")[0], Mark("f.yaml", 0))
    return spec, [render_problem(problem) for problem in reader.problems]


def test_a_jail_with_nothing_in_it():
    """The table's defaults are the model's."""
    assert jail("{}") == (JailSpec("j"), [])


def test_every_key():
    """Each key ends where it belongs."""
    text = """\
enabled: true
enforce: no
watch:
  svc: {logs: [/a, /b*], journal: [_UID=0], source: logs, timezone: UTC, encoding: latin-1}
  front: {filter: web, logs: [/c]}
rules:
  ip: {count: [auth, scan], by: ip, limit: 3/10m, bantime: 30m}
  net: {count: [spam], by: net, limit: 30/1h, prefix: [16, 56], ban: [net, hosts]}
  login: {count: [auth], by: login, limit: 9/1d, bantime: forever, logins: known, exempt: [Ann], strict: on, delay: 1m}
bantime: 2h
ports: [443, 80-90, 85-100]
protocol: [tcp, udp]
interface: eth0
action: reject
hook: [input]
ignoreip: [192.0.2.0/24, 'login:bob']
usedns: no
replaces: [a, b]
login: {domain: Example.org, realms: [mx], extension: none}
alarm: {networks: 5/1h, ban: on}
set: mine
"""
    assert jail(text) == (
        JailSpec(
            name="j",
            enabled="true",
            enforce=False,
            watch=(
                Watch("svc", ("/a", "/b*"), ("_UID=0",), "logs", "UTC", "latin-1"),
                Watch("web", ("/c",)),
            ),
            rules=(
                Rule("ip", frozenset({"auth", "scan"}), "ip", Limit(3, 600), 1800),
                Rule("net", frozenset({"spam"}), "net", Limit(30, 3600), 7200, (16, 56), ("net", "hosts")),
                Rule(
                    "login",
                    frozenset({"auth"}),
                    "login",
                    Limit(9, 86400),
                    None,
                    logins="known",
                    exempt=frozenset({"ann"}),
                    strict=True,
                    delay=60,
                ),
            ),
            bantime=7200,
            ports=((80, 100), (443, 443)),
            protocol=("tcp", "udp"),
            interface="eth0",
            action="reject",
            ignoreip=("192.0.2.0/24", "login:bob"),
            set="mine",
            replaces=("a", "b"),
            naming=Naming("example.org", frozenset({"mx"}), ""),
            alarm=AlarmSpec(Limit(5, 3600), True, 3600),
        ),
        [],
    )


@pytest.mark.parametrize(
    ("rule", "own", "defaults", "bantime"),
    [
        ("1m", "2m", 180.0, 60),
        (None, "2m", 180.0, 120),
        (None, None, 180.0, 180),
        (None, None, None, None),
        ("forever", "2m", 180.0, None),
    ],
)
def test_bantime_falls_back(rule, own, defaults, bantime):
    """A rule's bantime is its own, else the jail's, else the default one; forever is a value like others."""
    keys = f", bantime: {rule}" if rule else ""
    text = f"{WATCH}rules: {{ip: {{count: [auth], by: ip, limit: 3/10m{keys}}}}}\n" + (f"bantime: {own}\n" if own else "")
    assert jail(text, Defaults(None, defaults))[0].rules[0].bantime == bantime


def test_how_logins_are_written_falls_back():
    """A jail says only what differs from defaults.login."""
    naming = daemon("defaults: {login: {domain: example.org, realms: [mx]}}")[1].naming
    assert naming == Naming("example.org", frozenset({"mx"}), "+")
    spec, said = jail("login: {extension: '-'}", Defaults(naming=naming))
    assert (spec.naming, said) == (Naming("example.org", frozenset({"mx"}), "-"), [])


def test_what_is_for_logins_only():
    """A key about logins in a rule that counts addresses is told, and does nothing; root and its like are exempt by default."""
    note = "not used: only by: login is about logins"
    spec, said = jail(WATCH + "rules: {ip: {count: [auth], by: ip, limit: 3/10m, strict: true}}")
    assert (spec.rules[0].exempt, said) == (frozenset(), [f"x.yaml:2: warning: j.rules.ip.strict: {note}"])
    spec, said = jail(WATCH + "rules: {login: {count: [auth], by: login, limit: 3/10m}}")
    assert (spec.rules[0].exempt, said) == ({"root", "toor", "administrator"}, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("login: {domain: a b}", 'j.login.domain: expected a domain like "example.org", got "a b"'),
        ("login: {extension: x}", 'j.login.extension: expected one of + - _ = ! # or none, got "x"'),
        ("rules: {r: {count: [auth], by: login, limit: 1/1m, exempt: [a@b]}}", None),
        ("alarm: {networks: many}", 'j.alarm.networks: expected maxretry/findtime like "3/10m", got "many"'),
    ],
)
def test_wrong_words_about_logins(text, said):
    """Each is told with what would be right."""
    spec, problems = jail(WATCH + text)
    assert spec is None
    assert said is None or f"x.yaml:2: {said}" in problems


def test_a_match_that_anybody_can_meet():
    """It is warned about: identifier and name of a process are what its owner says."""
    text = "watch:\n  svc:\n    journal: [_UID=0, A=b _COMM=x, _TRANSPORT=kernel]\n" + RULE
    note = "anybody on this host can write such entries: a word like _UID=0 or _SYSTEMD_UNIT=… is missing"
    assert jail(text)[1] == [f"x.yaml:3: warning: j.watch.svc.journal[1]: {note}"]


def test_a_filter_that_cannot_read_the_journal():
    """It would never match anything there."""
    reader = Reader(jail="j", prefix="j")
    node, _ = compose("watch:\n  svc: {journal: [_UID=0]}\n  web: {journal: [_UID=0]}\n" + RULE, "x.yaml")
    assert build_jail(reader, "j", node, NOWHERE, Defaults(), KINDS, {"web"}) is not None
    note = "the filter web does not read entries of the journal: its header has no `syslog`"
    assert [render_problem(problem) for problem in reader.problems] == [f"x.yaml:3: warning: j.watch.web.journal: {note}"]


@pytest.mark.parametrize(
    ("logs", "journal", "own"),
    [
        ("jails.d/a.yaml", "/shipped/a.yaml", True),
        ("/shipped/a.yaml", "/shipped/a.yaml", False),
        ("/shipped/a.yaml", "jails.d/a.yaml", False),
        ("jails.d/a.yaml", "jails.d/a.yaml", False),
        ("jails.d/a.yaml", None, False),
    ],
)
def test_logs_of_ones_own(logs, journal, own):
    """Who says where the logs are, and nothing about the journal, has meant the logs."""
    reader = Reader(jail="j")
    shipped, _ = compose(f"svc: {{{'journal: [_UID=0]' if journal else ''}}}", journal or "/shipped/a.yaml")
    dropped, _ = compose("svc: {logs: [/x]}", logs)
    merged = Table({"watch": Entry(NOWHERE, merge(shipped, dropped)), **compose(RULE, "x.yaml")[0].entries}, NOWHERE)
    spec = build_jail(reader, "j", merged, NOWHERE, Defaults(), KINDS)
    assert [watch.own_logs for watch in spec.watch] == [own]


def test_limit_falls_back():
    """A rule without a limit takes the default one, if there is one."""
    text = f"{WATCH}rules:\n  ip: {{count: [auth], by: ip}}\n"
    assert jail(text, Defaults(Limit(7, 60)))[0].rules[0].limit == (7, 60)
    assert jail(text) == (None, ['x.yaml:3: j.rules.ip.limit: expected maxretry/findtime like "3/10m", got nothing'])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (RULE, "x.yaml:1: j.watch: expected something to watch, because there are rules, got nothing"),
        (
            "watch:\n  svc: {}\n" + RULE,
            "x.yaml:2: j.watch.svc.logs: expected at least one path, got nothing",
        ),
        (
            "watch:\n  svc:\n    journal: [_UID=0]\n    logs: []\n    source: logs\n" + RULE,
            "x.yaml:4: j.watch.svc.logs: expected at least one path, got nothing",
        ),
        (
            "watch: {svc: {logs: [/x], source: journal}}\n" + RULE,
            "x.yaml:1: j.watch.svc.journal: expected at least one match, got nothing",
        ),
        (
            "watch: {svc: {journal: [sshd]}}\n" + RULE,
            'x.yaml:1: j.watch.svc.journal[0]: expected words like SYSLOG_IDENTIFIER=sshd _UID=0, each field once, got "sshd"',
        ),
        ("watch:\n  scv: {logs: [/x]}\n" + RULE, "x.yaml:2: j.watch.scv: no filter is named scv; did you mean svc?"),
        (
            "watch:\n  a:\n    logs: [/x]\n    filter: zzz\n" + RULE,
            'x.yaml:4: j.watch.a: expected a filter (svc, web), got "zzz"',
        ),
        ("usedns: warn", 'x.yaml:1: j.usedns: expected no (names are never looked up), got "warn"'),
        ("hook: forward", 'x.yaml:1: j.hook: expected a list like [input], got "forward"'),
        ("hook: [forward]", 'x.yaml:1: j.hook[0]: expected input (others are not supported yet), got "forward"'),
        (
            f"{WATCH}rules: {{n: {{count: [auth], by: net, limit: 1/1m, prefix: [7, 48]}}}}",
            'x.yaml:2: j.rules.n.prefix[0]: expected a number from 8 to 32, got "7"',
        ),
        (
            f"{WATCH}rules: {{n: {{count: [auth], by: net, limit: 1/1m, prefix: [8, 129]}}}}",
            'x.yaml:2: j.rules.n.prefix[1]: expected a number from 32 to 128, got "129"',
        ),
    ],
)
def test_what_does_not_fit_together(text, said):
    """A jail that could not work is none."""
    assert jail(text) == (None, [said])


def test_not_yet():
    """What nothing implements is unknown, not accepted."""
    known = (
        "enabled, enforce, watch, rules, bantime, ports, protocol, interface, action, hook, ignoreip, usedns, replaces, login, "
        "alarm or set"
    )
    assert jail("notify: [x]\nend_connections: yes\n")[1] == [
        f"x.yaml:1: j.notify: unknown key; expected {known}",
        f"x.yaml:2: j.end_connections: unknown key; expected {known}",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WATCH, "x.yaml: warning: j.rules: no rule; nothing is counted"),
        (
            f"{WATCH}rules: {{a: {{count: [auth, rcpt], by: ip, limit: 1/1m}}}}",
            "x.yaml:2: warning: j.rules.a.count: rcpt is never counted: no filter that is watched has it",
        ),
        (
            f"{WATCH}rules: {{a: {{count: [auth], by: ip, limit: 1/1m, prefix: [24, 48]}}}}",
            "x.yaml:2: warning: j.rules.a.prefix: not used: only by: net and ban: [net] are about networks",
        ),
    ],
)
def test_warnings(text, said):
    """What has no effect is told, and the jail works."""
    spec, warned = jail(text)
    assert (spec is not None, warned) == (True, [said])


def test_one_wrong_value_hides_no_other():
    """What is wrong is said once, and everything that is wrong is said."""
    text = "watch:\n  zzz: {logs: 5}\nrules:\n  a: {count: [auth], by: all, limit: x}\nbantime: x\nports: all\n"
    assert jail(text) == (
        None,
        [
            'x.yaml:2: j.watch.zzz.logs: expected a list of paths like [/var/log/auth.log], got "5"',
            'x.yaml:4: j.rules.a.by: expected ip, net or login, got "all"',
            'x.yaml:4: j.rules.a.limit: expected maxretry/findtime like "3/10m", got "x"',
            'x.yaml:5: j.bantime: expected a duration like "10m" or "forever", got "x"',
            'x.yaml:2: j.watch.zzz: expected a filter (svc, web), got "zzz"',
        ],
    )


def test_ports():
    """`all` alone stands for every port."""
    assert jail("ports: all")[0].ports is None
    assert jail("ports: [all]")[0].ports is None
    unknown = "expected a name that /etc/services has, or the port's number"
    assert jail("ports: [22, all]")[1] == [f'x.yaml:1: j.ports[1]: {unknown}, got "all"']


def test_daemon_with_nothing_in_it():
    """The table's defaults are the model's."""
    assert daemon("") == (DaemonSpec(), Defaults(), [])
    assert daemon("defaults:\nlog:\nmetrics:\ncontrol:\nfirewall:\n") == (DaemonSpec(), Defaults(), [])


def test_daemon_with_everything():
    """Each key ends where it belongs."""
    text = """\
defaults: {limit: 5/1h, bantime: forever, ignoreip: [192.0.2.7, '2001:db8::/48']}
log: {to: /var/log/banwatch.log, format: json, level: debug}
metrics: {host: '::1', port: 0}
control: {socket: /run/x.sock, group: adm, ask: true}
firewall: {backend: null}
doors:
  dovecot: {host: '::1', port: 4001, key: /k, smtp: postfix}
  exim: {socket: /run/e.sock, group: mail}
  files: {directory: /d, pam: on, dovecot: on, exim: on}
  kick: [doveadm, kick]
store: {file: /srv/bans.db, history: 1w}
"""
    assert daemon(text) == (
        DaemonSpec(
            LogSpec("/var/log/banwatch.log", "json", "debug"),
            MetricsSpec("::1", 0),
            ControlSpec("/run/x.sock", "adm", True),
            FirewallSpec("null"),
            ("192.0.2.7", "2001:db8::/48"),
            StoreSpec("/srv/bans.db", 7 * 86400.0),
            doors=DoorsSpec(
                PolicySpec("::1", 4001, "/k", "postfix"),
                EximSpec("/run/e.sock", "mail"),
                FilesSpec("/d", True, True, True),
                ("doveadm", "kick"),
            ),
        ),
        Defaults(Limit(5, 3600), None),
        [],
    )


STORES = [("store: none", None), ("store: /srv/bans.db", "/srv/bans.db"), ("store: {file: none}", None)]


@pytest.mark.parametrize(("text", "file"), STORES)
def test_a_store_in_a_word(text, file):
    """A file by itself, or none, is enough."""
    assert daemon(text) == (DaemonSpec(store=StoreSpec(file)), Defaults(), [])


def test_a_wrong_store():
    """What is told is about the word that stands there."""
    assert daemon("store: off")[2] == ['banwatch.yaml:1: store.file: expected an absolute path or none, got "off"']
    expected = "none, an absolute path, or a mapping like {file: /var/lib/banwatch/banwatch.db, history: 30d}"
    assert daemon("store: [a]")[2] == [f'banwatch.yaml:1: store: expected {expected}, got "[a]"']


def test_daemon_with_wrong_values():
    """A wrong value is left at its default, so that everything else can still be looked at."""
    spec, defaults, said = daemon("defaults: {bantime: x}\nlog: {format: xml}\nmetrics: 9\nsshd: {}\n")
    assert (spec, defaults) == (DaemonSpec(), Defaults())
    assert said == [
        "banwatch.yaml:4: sshd: unknown key; expected defaults, log, metrics, control, firewall, doors or store",
        'banwatch.yaml:1: defaults.bantime: expected a duration like "10m" or "forever", got "x"',
        'banwatch.yaml:2: log.format: expected text or json, got "xml"',
        'banwatch.yaml:3: metrics: expected a mapping like {port: 9191}, got "9"',
    ]


def test_filter():
    """Each key ends where it belongs, and examples know their line."""
    text = """\
description: x
program: 'x(?:y)?'
header: [syslog, none]
date: '%Y'
failregex:
  auth: ['^a <HOST>$', '^b <HOST>$']
hintregex: {auth: ['^c <HOST>$']}
successregex: ['^d <HOST>$']
ignoreregex: ['^e$']
examples:
  - {log: a, auth: {ip: 192.0.2.7, login: ~}}
  - {log: b, why: no address}
  - {log: c, success: {}}
"""
    spec, said = filter_(text)
    assert said == []
    assert spec == FilterSpec(
        name="f",
        description="x",
        program="x(?:y)?",
        header=("syslog", "none"),
        date="%Y",
        failregex={"auth": ("^a <HOST>$", "^b <HOST>$")},
        hintregex={"auth": ("^c <HOST>$",)},
        successregex=("^d <HOST>$",),
        ignoreregex=("^e$",),
        examples=(
            Example("a", "auth", {"ip": "192.0.2.7", "login": None}, Mark("f.yaml", 11)),
            Example("b", None, {}, Mark("f.yaml", 12)),
            Example("c", "success", {}, Mark("f.yaml", 13)),
        ),
    )
    assert spec.marks["failregex.auth[1]"] == Mark("f.yaml", 6)


def test_a_filter_with_nothing_in_it():
    """The table's defaults are the model's."""
    assert filter_("{}") == (FilterSpec("f"), [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "failfields: {auth: {status: '401'}}",
            "f.yaml:1: failfields.auth: expected a list of mappings of fields, each with a regex for its "
            "whole value or null where it must be absent, like [{status: '401'}], got \"{status: 401}\"",
        ),
        (
            "failfields: {auth: [status]}",
            "f.yaml:1: failfields.auth[0]: expected a mapping of fields, each with a regex, like {status: '401'}, got \"status\"",
        ),
        (
            "failfields: {auth: [{a..b: x}]}",
            'f.yaml:1: failfields.auth[0].a..b: expected a field like status or request.remote_ip, got "a..b"',
        ),
        ("fields: {ip: [a, '']}", "f.yaml:1: fields.ip[1]: expected a field like status or request.remote_ip, got nothing"),
        ("fields: {host: a}", "f.yaml:1: fields.host: unknown key; expected ip, login, date or session"),
        ("failregex:\n- ^a", 'f.yaml:2: failregex: expected a mapping of kinds, each with its regexes, got "[^a]"'),
        ("failregex:\n  aut: [x]", "f.yaml:2: failregex.aut: unknown key; did you mean auth?"),
        ("failregex:\n  auth:\n    - ^F: <HOST>", "f.yaml:3: failregex.auth[0]: quote this regex: it contains `: `"),
        ("examples:\n- {log: a, auth: {}, scan: {}}", 'f.yaml:2: examples[0]: expected one kind at most, got "auth, scan"'),
        ("examples:\n- {auth: {}}", "f.yaml:2: examples[0].log: expected a line of a log, got nothing"),
        ("headers: none", "f.yaml:1: headers: unknown key; did you mean header?"),
    ],
)
def test_wrong_filters(text, said):
    """What does not fit is told, and there is no filter."""
    assert filter_(text) == (None, [said])
