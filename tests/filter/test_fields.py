"""Filters that name fields."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banwatch.config.model import FilterSpec
from banwatch.errors import ConfigError
from banwatch.filter import Lens, Scanner, compile_filter
from banwatch.filter.dates import KNOWN, DateReader
from banwatch.filter.fields import read_address, read_date
from banwatch.filter.match import name_regex
from banwatch.model import Chunk, Position

NOW = 1795824000.0
WHERE = {"date": ("ts",), "ip": ("request.ip", "ip"), "login": ("user",), "session": ("id",)}
RECORD = {"ts": 1795168800.5, "request": {"ip": "192.0.2.7:4242"}, "user": "bob", "status": 401, "id": "s1", "path": "/x"}


def spec(*entries, **other):
    """A filter with these failfields of the kind auth."""
    values = {"header": ("json",), "fields": WHERE, "failfields": {"auth": entries} if entries else {}, **other}
    return FilterSpec("f", **values)


def match(line, *entries, **other):
    """What one line gives."""
    return Scanner([Lens(compile_filter(spec(*entries, **other)))]).match_line(0, line, NOW)


def test_a_match():
    """Address, login, date and session come from where the filter says."""
    line = json.dumps(RECORD)
    found = match(line, {"status": "401"})
    assert (found.kind, found.ip, found.login, found.at, found.session) == ("auth", "192.0.2.7", "bob", 1795168800.5, "s1")
    assert (found.attempts, found.hint, found.line) == (1, False, line)
    assert found.tags == {"ip": "192.0.2.7:4242", "user": "bob"}
    assert name_regex(found.kind, found.regex, found.hint) == "failfields.auth[0]"


@given(st.permutations(list(RECORD)), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_the_order_of_keys_does_not_matter(keys, separators):
    """However the line is written, it gives the same."""
    line = json.dumps({key: RECORD[key] for key in keys}, separators=separators)
    found = match(line, {"status": "401", "path": "/.*"})
    assert (found.ip, found.login, found.at) == ("192.0.2.7", "bob", 1795168800.5)


@pytest.mark.parametrize(
    ("entry", "matches"),
    [
        ({"status": "40[13]", "user": "bob"}, True),
        ({"status": "40"}, False),
        ({"status": "401", "user": "bo"}, False),
        ({"status": "401", "gone": None}, True),
        ({"status": "401", "user": None}, False),
        ({"status": "401", "gone": ".*"}, True),
        ({"status": "401", "gone": ".+"}, False),
        ({"status": "401", "request": ".*"}, False),
        ({"request.ip": "192.*"}, True),
        ({"path": "^/x$"}, True),
    ],
)
def test_conditions(entry, matches):
    """All have to hold, each for the whole value; null is what is absent or empty."""
    assert (match(json.dumps(RECORD), entry) is not None) is matches


def test_tags_in_conditions():
    """A condition may capture who it was; that comes before what `fields` says."""
    found = match(json.dumps(RECORD | {"path": "x from 2001:db8::7"}), {"path": "<F-USER>.*</F-USER> from <HOST>"})
    assert (found.ip, found.login) == ("2001:db8::7", "x")
    assert match(json.dumps(RECORD | {"path": "x from 192.0.2.700"}), {"path": "x from (?P<ip>.*)"}) is None


@pytest.mark.parametrize(
    ("record", "ip"),
    [
        ({"request": {"ip": ""}, "ip": "192.0.2.9"}, "192.0.2.9"),
        ({"request": {"ip": "203.0.113.9"}, "ip": "192.0.2.9"}, "203.0.113.9"),
        ({"ip": "192.0.2.9, 192.0.2.8"}, None),
        ({"request": {"ip": "unknown"}, "ip": "192.0.2.9"}, None),
        ({}, None),
    ],
)
def test_the_first_place_that_is_filled(record, ip):
    """Of several fields the first with anything in it counts; if that is no address, nobody does."""
    found = match(json.dumps({"status": 401, "user": "x", **record}), {"status": "401"})
    assert (found and found.ip) == ip


def test_behind_a_header():
    """An object may stand behind another header, whose date, session and number of times hold where it has none."""
    line = 'Nov 20 10:00:00 h prog[812]: message repeated 3 times: [ {"status":401,"ip":"192.0.2.7"}]'
    found = match(line, {"status": "401"}, header=("json", "syslog"))
    assert (found.ip, found.attempts, found.session, found.at is not None) == ("192.0.2.7", 3, "prog[812]", True)
    assert match(line, {"status": "401"}) is None
    assert match(line, {"status": "401"}, header=("json", "syslog"), program="other") is None


def test_regexes_besides():
    """A filter may have both; a line that is no object is the regexes'."""
    other = {"header": ("json", "syslog"), "failregex": {"auth": (r"^\{no\} <HOST>$",)}}
    assert match("Nov 20 10:00:00 h p: {no} 192.0.2.7", {"status": "401"}, **other).ip == "192.0.2.7"
    assert match(json.dumps(RECORD), {"status": "401"}, **other).login == "bob"


def test_ignored_lines():
    """ignoreregex is about the whole object."""
    assert match(json.dumps(RECORD), {"status": "401"}, ignoreregex=('"path": "/x"',)) is None


@pytest.mark.parametrize(
    ("values", "problems"),
    [
        (
            {"failfields": {"auth": ({"status": "("},)}},
            [("failfields.auth[0].status", "a regex (missing ), unterminated subpattern)", "(")],
        ),
        ({"failfields": {"auth": ({},)}}, [("failfields.auth[0]", "at least one condition", "{}")]),
        ({"fields": {}}, [("failfields.auth[0]", "fields.ip, or a tag that says who: <HOST> or <F-USER>", "status")]),
        ({"header": ("syslog",)}, [("header", "json among them, because fields are named", "syslog")]),
        ({"failfields": {}}, [("header", "failfields, because it is json", "json")]),
        ({"failregex": {"auth": ("^<HOST>$",)}}, [("header", "another one besides, because there are regexes", "json")]),
        (
            {"failfields": {"auth": ({"a": "<HOST>", "b": "<HOST>"},)}},
            [("failfields.auth[0].b", "each tag in one condition, not ip again", "<HOST>")],
        ),
        ({"fields": {"ip": ("a..b",)}}, [("fields.ip", "a field like status or request.remote_ip", "a..b")]),
    ],
)
def test_what_is_wrong(values, problems):
    """Each problem says where it is, what was expected and what stands there."""
    with pytest.raises(ConfigError) as caught:
        compile_filter(spec(**{"failfields": {"auth": ({"status": "401"},)}, **values}))
    assert [(problem.key, problem.expected, problem.got) for problem in caught.value.problems] == problems


@pytest.mark.parametrize(
    ("entry", "regex"),
    [
        ({"status": "401", "msg": "handled request"}, rb'"status" {0,2}: {0,2}"?(?:401)'),
        ({"msg": "handled request", "status": "401"}, rb"handled\ request"),
        ({"a.status": "4.."}, rb'"status" {0,2}: {0,2}(?:"[^"\n]|[^" n\n])'),
        ({"gone": ".*", "msg": "a/handled <it>"}, rb"handled\ "),
        ({"gone": ".*"}, b""),
        ({"gone": None, "status": "40[13]"}, rb'"status" {0,2}: {0,2}(?:"[^"\n]|[^" n\n])'),
    ],
)
def test_what_is_looked_for_before_a_line_is_parsed(entry, regex):
    """The first condition that asks for some text, which no program writes in another way; else one of the keys; else nothing."""
    assert [needle.regex for needle in compile_filter(spec(entry)).needles] == [regex]


VALUES = st.sampled_from([401, "401", 200, "é", "bob", "x\n", "\ud800", None, True, [], ["x"], {}, {"ip": "203.0.113.9"}])
RECORDS = st.fixed_dictionaries({}, optional=dict.fromkeys(("status", "user", "path", "ts", "id"), VALUES))


@settings(max_examples=200)
@given(st.lists(RECORDS, max_size=6), st.booleans())
def test_a_scan_is_the_sum_of_its_lines(records, plain):
    """What the prefilter passes over would not have matched."""
    scanner = Scanner([Lens(compile_filter(spec({"status": "401"}, {"user": "bob|é", "status": "2.."}, {"path": "x"})))])
    lines = [
        json.dumps({"ip": "192.0.2.7", **record}, ensure_ascii=plain).encode("utf-8", "backslashreplace") for record in records
    ]
    chunk = Chunk("log", b"".join(line + b"\n" for line in lines), 0, Position(0, 0, 0), live=False, read_at=NOW)
    alone = [scanner.match_line(0, line.decode(), NOW) for line in lines]
    found = [found._replace(start=0) for found in scanner.scan(chunk, NOW)]
    assert found == [match for match in alone if match is not None]


@pytest.mark.parametrize(
    ("text", "ip"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4242", "192.0.2.7"),
        ("[2001:db8::7]:4242", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("2001:DB8::7", "2001:db8::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4242:1", None),
        ("192.0.2.7, 192.0.2.8", None),
        ("", None),
    ],
)
def test_addresses(text, ip):
    """An address may have a port."""
    assert read_address(text) == ip


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1795168800", 1795168800.0),
        ("1795168800.5241024", 1795168800.5241024),
        ("1795168800524", 1795168800.524),
        ("1795168800524102", 1795168800.524102),
        ("1795168800524102400", 1795168800.5241024),
        ("2026-11-20T10:00:00.5+00:00", 1795168800.5),
        ("20/Nov/2026:10:00:00 +0000", 1795168800.0),
        ("", None),
        ("17951688005", None),
        ("yesterday", None),
    ],
)
def test_dates(text, at):
    """Seconds since 1970 or thousandths and so on of them, or any date that is known."""
    reader = DateReader(KNOWN, None)
    reader.begin(NOW)
    assert read_date(text, reader) == at
