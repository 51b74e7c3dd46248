"""cli/explain.py: why a line does not count."""

from zoneinfo import ZoneInfo

import pytest

from banwatch.cli.explain import Explainer, render_reason
from banwatch.config.model import FilterSpec
from banwatch.filter.match import compile_filter

HEAD = "Nov 20 10:00:00 mx prog[1]: "
SPEC = {
    "program": "prog",
    "failregex": {"auth": ("^failed for <F-USER>.*</F-USER> from <HOST>$", "^bad <HOST> of <F-USER>.*</F-USER>$")},
    "ignoreregex": ("friend",),
}
FIELDS = {
    "header": ("json",),
    "fields": {"ip": ("request.ip",)},
    "failfields": {"auth": ({"status": "401", "path": "/login.*"}, {"status": "403", "user": None})},
}


def explain(line, **keys):
    spec = FilterSpec(name="prog", **keys)
    return Explainer(spec, compile_filter(spec), ZoneInfo("UTC")).explain(line)


@pytest.mark.parametrize(
    ("line", "why", "behind"),
    [
        ("", "the header does not fit: no date like 'Nov 20 10:00:00' or '2026-11-20T10:00:00+01:00' and a host", ""),
        (
            "2026/11/20 10:00:00 mx prog: x",
            "the header does not fit: no date like 'Nov 20 10:00:00' or '2026-11-20T10:00:00+01:00' and a host; "
            "'2026/11/20 10:00:00' may be one for another header",
            "2026/11/20 10:00:00 mx prog: x",
        ),
        (
            "Nov 20 10:00:00 mx failed for a from b",
            "the header has date and host, but no program like 'sshd[812]: ' behind it",
            "failed for a from b",
        ),
        ("Nov 20 10:00:00 mx cron[2]: x", "the program is 'cron', not prog", "cron[2]: x"),
        (f"{HEAD}hello", "no regex begins like this message", "hello"),
        (f"{HEAD}failed for a by b", "failregex.auth[0] fits up to here, then asks for ' from '", "by b"),
        (f"{HEAD}bad 192.0.2.7 off\r\n", "failregex.auth[1] fits up to here, then asks for ' of '", "f"),
        (f"{HEAD}failed for a from 999.0.2.7", "failregex.auth[0] matches, but '999.0.2.7' is no address", "999.0.2.7"),
        (
            f"{HEAD}failed for friend from 192.0.2.7",
            "failregex.auth[0] matches, but ignoreregex[0] does, too",
            "friend from 192.0.2.7",
        ),
    ],
)
def test_a_line_of_syslog(line, why, behind):
    """The last thing on its way that went wrong, and the place from which on it does."""
    reason = explain(line, **SPEC)
    assert reason.why == why
    assert reason.places[0].text[reason.places[0].at :] == behind


@pytest.mark.parametrize(
    ("header", "line", "why"),
    [
        ((r"^<DATE> \[(?P<program>\w+)\] ",), "2026-11-20 10:00:00 (prog) x", r"the header does not fit: it asks for ' ['"),
        ((r"^<DATE> \[(?P<program>\w+)\] ",), "2026-11-20 10:00:00 [cron] x", "the program is 'cron', not prog"),
        ((r"^<DATE>(?#)a",), "2026", "the header does not fit"),
        (
            (r"^<SYSLOG>\w+ session=\d+: ",),
            f"{HEAD}a session=x: y",
            r"the header does not fit behind the program: it asks for \d+",
        ),
        (("none",), "failed for", "failregex.auth[0] fits up to here, then asks for ' from '"),
        (("syslog", r"^<DATE> prog "), "2026-11-20 10:00:00 pro", "the header does not fit: it asks for ' prog '"),
    ],
)
def test_headers_of_other_kinds(header, line, why):
    """Of several the one that got furthest is told about."""
    spec = {**SPEC, "failregex": {"auth": ("^failed for ?<F-USER>.*</F-USER> from <HOST>$",)}}
    assert explain(line, **spec, header=header).why == why


def test_nobody():
    """A regex may match and name nobody."""
    assert explain("user ", header=("none",), failregex={"auth": ("^user <F-USER>.*</F-USER>$",)}).why == (
        "failregex.auth[0] matches, but it names nobody"
    )


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("x", "it is no object of JSON"),
        ('{"status": 401', "it is no object of JSON"),
        ('{"status":401,"path":"/x","request":{"ip":"192.0.2.7"}}', "failfields.auth[0]: path is '/x', and has to be '/login.*'"),
        ('{"status":403,"user":"x"}', "failfields.auth[1]: user is 'x', and has to be absent"),
        ('{"path":"/login"}', "failfields.auth[0]: status is absent, and has to be '401'"),
        ('{"status":{},"path":"/login","user":"x"}', "failfields.auth[0]: status is no text, and has to be '401'"),
        ('{"status":401,"path":"/login","request":{"ip":"somebody"}}', "request.ip is 'somebody', which is no address"),
        ('{"status":401,"path":"/login"}', "it names nobody"),
    ],
)
def test_objects(line, why):
    """Of the entry of which most conditions hold, the one that does not."""
    assert explain(line, **FIELDS).why == why


def test_the_place_where_json_ends():
    """As its parser says."""
    assert explain('{"status": 401', **FIELDS).places[0].at == 14
    assert explain("{" + '"a":[' * 100_000, **FIELDS).why == "it is no object of JSON"


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        (f"{HEAD}x", ""),
        ("Feb 31 10:00:00 mx prog[1]: x", "there is no such date as 'Feb 31 10:00:00': it would count as now"),
        ("nothing", ""),
    ],
)
def test_dates(line, wrong):
    """A date that the calendar does not have is told."""
    spec = FilterSpec(name="prog", **SPEC)
    assert Explainer(spec, compile_filter(spec), None).explain_date(line, 1795168800.0) == wrong


def test_rendered():
    """A caret under the place, in the line and in the regex; what a terminal would obey is escaped, what is long is cut."""
    assert list(render_reason(explain(f"{HEAD}failed for \x1b[2J by b", **SPEC))) == [
        "failregex.auth[0] fits up to here, then asks for ' from '",
        "  message  failed for \\x1b[2J by b",
        "                              ^",
        "  regex    ^failed for <F-USER>.*</F-USER> from <HOST>$",
        "                                           ^",
    ]
    _, line, caret, *_ = render_reason(explain(f"{HEAD}bad 192.0.2.7 off{'x' * 500}", **SPEC))
    assert line == f"  message  bad 192.0.2.7 off{'x' * 99}…"
    assert line[caret.index("^")] == "f"
    _, line, caret, *_ = render_reason(explain("x" * 300 + " y", header=("none",), failregex={"auth": ("^x+z<HOST>",)}))
    assert (len(line), line[11], line[caret.index("^")]) == (11 + 1 + 100 + 2, "…", " ")
