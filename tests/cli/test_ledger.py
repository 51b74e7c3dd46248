"""cli/ledger.py: bans as JSON and as `ipset save` writes them."""

import json
import re

import pytest

from banwatch.cli.ledger import read_bans, render_ipset
from banwatch.errors import ControlError

NOW = 1_780_000_000.0
BANS = [
    {"jail": "sshd", "by": "ip", "who": "192.0.2.7", "until": NOW + 599.5, "enforce": True},
    {"jail": "sshd", "by": "net", "who": "2001:db8::/32", "until": None, "enforce": True},
    {"jail": "sshd", "by": "login", "who": "login:bob", "until": None, "enforce": True},
    {"jail": "allow", "by": "ip", "who": "192.0.2.8", "until": None, "enforce": True},
    {"jail": "web", "by": "ip", "who": "192.0.2.9", "until": NOW, "enforce": True},
    {"jail": "web", "by": "ip", "who": "192.0.2.10", "until": None, "enforce": False},
]
SAVED = [
    "create banwatch-sshd-4 hash:net family inet hashsize 1024 maxelem 4194304 timeout 0 counters",
    "add banwatch-sshd-4 192.0.2.7 timeout 600",
    "create banwatch-sshd-6 hash:net family inet6 hashsize 1024 maxelem 4194304 timeout 0 counters",
    "add banwatch-sshd-6 2001:db8::/32 timeout 0",
    "create banwatch-allow-4 hash:net family inet hashsize 1024 maxelem 4194304 timeout 0 counters",
    "add banwatch-allow-4 192.0.2.8 timeout 0",
]


def test_render_ipset():
    """Each set before its members, seconds rounded up, 0 for ever; what no set can hold is left out."""
    assert list(render_ipset(BANS, NOW)) == SAVED


def test_what_is_rendered_is_read():
    """By the names of our sets, without being told."""
    assert [(ban["jail"], ban["who"], ban["until"]) for ban in read_bans(SAVED, ["sshd"], {}, NOW)] == [
        ("sshd", "192.0.2.7", NOW + 600),
        ("sshd", "2001:db8::/32", None),
        ("allow", "192.0.2.8", None),
    ]


def test_json_is_read():
    """With jails that are called otherwise here; without those that are not wanted."""
    lines = [json.dumps(ban) for ban in BANS]
    found = read_bans(lines, ["sshd"], {"web": "sshd", "allow": ""}, NOW)
    assert [(ban["jail"], ban["who"]) for ban in found] == [
        ("sshd", "192.0.2.7"),
        ("sshd", "2001:db8::/32"),
        ("sshd", "login:bob"),
        ("sshd", "192.0.2.9"),
        ("sshd", "192.0.2.10"),
    ]


OLD = """\
# saved by hand
create f2b-sshd hash:ip family inet hashsize 1024 maxelem 65536 timeout 600 bucketsize 12 initval 0x1
add f2b-sshd 192.0.2.7 timeout 4711 packets 3 bytes 180 comment "x"
-N evil nethash
-A evil 198.51.100.0/24
add evil 203.0.113.7 timeout 4294967

COMMIT
"""


def test_sets_of_before():
    """Mapped by the operator; options of all kinds; a timeout that no kernel has held is cut."""
    found = read_bans(OLD.splitlines(keepends=True), ["sshd"], {"f2b-sshd": "sshd", "evil": "manual"}, NOW)
    assert [(ban["jail"], ban["who"], ban["until"] and ban["until"] - NOW, ban["why"]) for ban in found] == [
        ("sshd", "192.0.2.7", 4711.0, "set f2b-sshd"),
        ("manual", "198.51.100.0/24", None, "set evil"),
        ("manual", "203.0.113.7", 2147483.0, "set evil"),
    ]


def test_sets_of_no_jail():
    """All of them are named, and how to go on."""
    with pytest.raises(ControlError, match=re.escape("sets of no jail: 'f2b-sshd', 'evil'")) as caught:
        read_bans(OLD.splitlines(), ["sshd"], {}, NOW)
    assert caught.value.hint == "--map SET=JAIL says which jail takes them over, --map SET= leaves them out"
    assert read_bans(OLD.splitlines(), ["sshd"], {"f2b-sshd": "", "evil": ""}, NOW) == []


@pytest.mark.parametrize("line", ["garbage", "{", "{}", "[1]", "*filter", "add onlyone"])
def test_another_file(line):
    """The line is told."""
    with pytest.raises(ControlError, match=r"^line 2: expected "):
        read_bans(["", line], ["sshd"], {}, NOW)
