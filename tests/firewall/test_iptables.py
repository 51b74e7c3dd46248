"""firewall/iptables.py: what the programs say, and how they fail. Real ones run in test_ipset.py."""

import pytest

from banwatch.errors import FirewallError
from banwatch.firewall.iptables import Tables
from banwatch.firewall.rules import Listing


async def test_read(program, tmp_path):
    """The rules are asked for once, and others that change them are waited for; messages come in no other language."""
    path = program("iptables", f'echo "$* $LC_ALL" >>{tmp_path}/asked; echo "-P INPUT ACCEPT"; echo "# a warning" >&2')
    assert await Tables(path, "").read() == Listing(None, (), entered=False)
    assert (tmp_path / "asked").read_text() == "-w 5 -S C\n"


async def test_restore(program, tmp_path):
    """The text goes in as it is, and other chains are not flushed."""
    path = program("iptables", f'echo "$*" >{tmp_path}/asked; cat >{tmp_path}/text')
    await Tables("", path).restore("*filter\nCOMMIT\n")
    assert (tmp_path / "asked").read_text() == "-w 5 --noflush\n"
    assert (tmp_path / "text").read_text() == "*filter\nCOMMIT\n"


@pytest.mark.parametrize(("version", "tells"), [("iptables v1.8.9 (nf_tables)", True), ("iptables v1.8.9 (legacy)", False)])
async def test_who_tells_of_changes(program, version, tells):
    """The kernel does where iptables is made of nf_tables; old versions say nothing of it."""
    assert await Tables(program("iptables", f'test "$*" = --version && echo "{version}"'), "").tells_changes() is tells
    assert await Tables(program("iptables", "echo iptables v1.6.1"), "").tells_changes() is False


async def test_nothing_to_restore():
    """No text is no program."""
    await Tables("", "/nonexistent").restore(None)


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("Fatal: can't open lock file /run/xtables.lock: Permission denied", "let the service write /run/xtables.lock"),
        ("Can't open socket to ipset.", "run it as root"),
        (
            "iptables v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)",
            "run it as root",
        ),
        ("Warning: Extension set revision 0 not supported, missing kernel module?", "modprobe xt_set"),
        ("something new", ""),
    ],
)
async def test_refused(program, said, hint):
    """A refusal is told in the program's own words, as one quoted line, and with what helps."""
    with pytest.raises(FirewallError) as caught:
        await Tables(program("iptables", f'echo "{said}" >&2; echo more >&2; exit 4'), "").read()
    assert caught.value.message == f"iptables refused (4): {said + ' more'!r}"
    assert caught.value.hint.startswith(hint)
    assert bool(caught.value.hint) == bool(hint)


async def test_missing():
    """A program that is not there is an error with the package it is in."""
    with pytest.raises(FirewallError) as caught:
        await Tables("/nonexistent/iptables", "").read()
    assert caught.value.hint == "apt-get install iptables"
