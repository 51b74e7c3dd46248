"""Words as values: what fits, and what is expected where nothing fits."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.config import convert
from banwatch.config.problem import UnfitError

GOOD = [
    (convert.parse_flag, "true", True),
    (convert.parse_flag, "No", False),
    (convert.parse_flag, "off", False),
    (convert.parse_enabled, "auto", "auto"),
    (convert.parse_enabled, "yes", "true"),
    (convert.parse_enabled, "false", "false"),
    (convert.parse_number(8, 32), "24", 24),
    (convert.parse_name, "a.b_c-d", "a.b_c-d"),
    (convert.parse_jail_name, "sshd", "sshd"),
    (convert.parse_filter_name, "exim4", "exim4"),
    (convert.parse_line, "Nov 20 10:00:00 x\n", "Nov 20 10:00:00 x"),
    (convert.parse_regex, "^a b$\n", "^a b$"),
    (convert.parse_regex, "^a\tb$", "^a\tb$"),
    (convert.parse_header, "syslog", "syslog"),
    (convert.parse_path, "/var/log/*.log", "/var/log/*.log"),
    (convert.parse_store_file, "none", None),
    (convert.parse_store_file, "/srv/bans.db", "/srv/bans.db"),
    (convert.parse_log_to, "stderr", "stderr"),
    (convert.parse_log_to, "journal", "journal"),
    (convert.parse_match, " SYSLOG_IDENTIFIER=sshd  _UID=0", "SYSLOG_IDENTIFIER=sshd _UID=0"),
    (convert.parse_match, "_COMM=a\\x20b", "_COMM=a\\x20b"),
    (convert.parse_log_to, "/var/log/banwatch.log", "/var/log/banwatch.log"),
    (convert.parse_ignored, "0.0.0.0/8", "0.0.0.0/8"),
    (convert.parse_ignored, "192.0.2.7", "192.0.2.7"),
    (convert.parse_ignored, "192.0.2.7/32", "192.0.2.7"),
    (convert.parse_ignored, "2001:DB8::/48", "2001:db8::/48"),
    (convert.parse_ignored, "::ffff:192.0.2.0/120", "192.0.2.0/24"),
    (convert.parse_ignored, "login:alice", "login:alice"),
    (convert.parse_zone, "UTC", "UTC"),
    (convert.parse_zone, "Europe/Berlin", "Europe/Berlin"),
    (convert.parse_encoding, "utf-8", "utf-8"),
    (convert.parse_encoding, "latin-1", "latin-1"),
    (convert.parse_interface, "eth0", "eth0"),
    (convert.parse_interface, "ppp+", "ppp+"),
    (convert.parse_interface, "eth0.100", "eth0.100"),
    (convert.parse_set, "f2b-sshd", "f2b-sshd"),
    (convert.parse_set, "x" * 29, "x" * 29),
    (convert.parse_group, "adm", "adm"),
    (convert.parse_loopback, "127.0.0.1", "127.0.0.1"),
    (convert.parse_loopback, "::1", "::1"),
    (convert.one_of("drop", "reject"), "reject", "reject"),
]

EVERYBODY = "an address, a network or login:NAME; this one is everybody or nobody"
NO_NAMES = "an address, a network or login:NAME (host names and files are not supported yet)"
BAD = [
    (convert.parse_flag, "maybe", "true or false"),
    (convert.parse_enabled, "sometimes", "auto, true or false"),
    (convert.parse_number(8, 32), "7", "a number from 8 to 32"),
    (convert.parse_number(8, 32), "٢٤", "a number from 8 to 32"),
    (convert.parse_number(8, 32), "-9", "a number from 8 to 32"),
    (convert.parse_name, "-x", convert.NAME),
    (convert.parse_name, "a b", convert.NAME),
    (convert.parse_name, "a/b", convert.NAME),
    (convert.parse_name, "x" * 65, convert.NAME),
    (convert.parse_jail_name, "allow", f"{convert.NAME}; allow is reserved"),
    (convert.parse_filter_name, "/etc/fail2ban/filter.d/x.conf", f"{convert.NAME} (fail2ban's files are not read yet)"),
    (convert.parse_line, "a\nb\n", "a line of a log"),
    (convert.parse_line, "", "a line of a log"),
    (convert.parse_regex, "", "a regex in single quotes"),
    (convert.parse_regex, "\bword\b", "a regex in single quotes"),
    (convert.parse_regex, "^a$\n^b$", "a regex in single quotes"),
    (convert.parse_field, "request..ip", "a field like status or request.remote_ip"),
    (convert.parse_field, "", "a field like status or request.remote_ip"),
    (convert.parse_path, "auth.log", "an absolute path"),
    (convert.parse_path, "/var/log/", "an absolute path"),
    (convert.parse_path, "/a\0b", "an absolute path"),
    (convert.parse_store_file, "state.db", "an absolute path or none"),
    (convert.parse_log_to, "syslog", "stderr, journal or an absolute path"),
    (convert.parse_match, "", convert.MATCH),
    (convert.parse_match, "sshd", convert.MATCH),
    (convert.parse_match, "A=", convert.MATCH),
    (convert.parse_match, "A=b A=c", convert.MATCH),
    (convert.parse_match, "a=b", convert.MATCH),
    (convert.parse_match, "A=ä", convert.MATCH),
    (convert.parse_ignored, "0.0.0.0", EVERYBODY),
    (convert.parse_ignored, "::", EVERYBODY),
    (convert.parse_ignored, "192.0.0.0/0", "a network without host bits, like 192.0.2.0/24"),
    (convert.parse_ignored, "0.0.0.0/0", EVERYBODY),
    (convert.parse_ignored, "::/0", EVERYBODY),
    (convert.parse_ignored, "::ffff:0:0/96", EVERYBODY),
    (convert.parse_ignored, "192.0.2.7/24", "a network without host bits, like 192.0.2.0/24"),
    (convert.parse_ignored, "office.example.org", NO_NAMES),
    (convert.parse_ignored, "/etc/ignore", NO_NAMES),
    (convert.parse_ignored, "192.030.0.6", NO_NAMES),
    (convert.parse_ignored, "login:", NO_NAMES),
    (convert.parse_zone, "Berlin", convert.ZONE),
    (convert.parse_zone, "../../etc/passwd", convert.ZONE),
    (convert.parse_zone, "Europe", convert.ZONE),
    (convert.parse_zone, "", convert.ZONE),
    (convert.parse_encoding, "utf-16", convert.ENCODING),
    (convert.parse_encoding, "cp037", convert.ENCODING),
    (convert.parse_encoding, "rot13", convert.ENCODING),
    (convert.parse_encoding, "hex", convert.ENCODING),
    (convert.parse_encoding, "no-such", convert.ENCODING),
    (convert.parse_encoding, "a\0b", convert.ENCODING),
    (convert.parse_interface, "eth0 -j ACCEPT", convert.INTERFACE),
    (convert.parse_interface, "-i", convert.INTERFACE),
    (convert.parse_interface, "x" * 16, convert.INTERFACE),
    (convert.parse_set, "x" * 30, convert.SET),
    (convert.parse_set, "a b", convert.SET),
    (convert.parse_set, "-x", convert.SET),
    (convert.parse_group, "a:b", "a group's name"),
    (convert.parse_loopback, "0.0.0.0", convert.LOOPBACK),
    (convert.parse_loopback, "localhost", convert.LOOPBACK),
    (convert.one_of("drop", "reject"), "accept", "drop or reject"),
    (convert.one_of("no", but="not yet"), "warn", "no (not yet)"),
]


def _name(value):
    return getattr(value, "__name__", None)


@pytest.mark.parametrize(("parse", "text", "value"), GOOD, ids=_name)
def test_fits(parse, text, value):
    """The text stands for this value."""
    assert parse(text) == value


@pytest.mark.parametrize(("parse", "text", "expected"), BAD, ids=_name)
def test_does_not_fit(parse, text, expected):
    """The refusal says what would fit, and what was there."""
    with pytest.raises(UnfitError) as caught:
        parse(text)
    assert (caught.value.expected, caught.value.got) == (expected, text)


@pytest.mark.parametrize("parse", dict.fromkeys(parse for parse, _, _ in BAD), ids=_name)
@given(text=st.text())
def test_any_text_fits_or_is_refused(parse, text):
    """No text makes a converter fail in another way."""
    with suppress(UnfitError):
        parse(text)
