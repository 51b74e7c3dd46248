"""firewall/open.py: which firewall, and whether this host can have it."""

import subprocess
import sys

import pytest

from banwatch.config.model import FirewallSpec
from banwatch.errors import FirewallError
from banwatch.firewall.open import find_tables, missing_rights, open_firewall

PROGRAMS = {name: f"/sbin/{name}" for name in ("iptables", "iptables-restore", "ip6tables", "ip6tables-restore")}


@pytest.mark.parametrize(("backend", "dry_run"), [("null", False), ("auto", True), ("ipset", True)])
async def test_null(backend, dry_run):
    """A dry run has no firewall, and needs no rights."""
    assert (await open_firewall(FirewallSpec(backend), dry_run)).name == "null"


def test_both_families():
    """Where all is there, nothing is noted."""
    tables, lacking = find_tables(PROGRAMS.get, ipv6=True)
    assert (set(tables), lacking) == ({4, 6}, [])


def test_no_ipv6():
    """A host without IPv6 needs none, and a host without ip6tables is told what that means."""
    tables, lacking = find_tables(PROGRAMS.get, ipv6=False)
    assert (set(tables), lacking) == ({4}, ["this host has no IPv6"])
    without = {name: path for name, path in PROGRAMS.items() if name != "ip6tables-restore"}
    tables, lacking = find_tables(without.get, ipv6=True)
    assert set(tables) == {4}
    assert lacking == ["ip6tables-restore: not found, so IPv6 is not covered (apt-get install iptables)"]


def test_no_iptables():
    """Without iptables there are no rules, so there is no firewall."""
    with pytest.raises(FirewallError) as caught:
        find_tables(lambda name: None, ipv6=True)
    assert caught.value.message == "iptables and iptables-restore: not found"
    assert (caught.value.hint, caught.value.code) == ("apt-get install iptables", 69)


@pytest.mark.parametrize(
    ("effective", "missing"),
    [
        ("000001ffffffffff", []),
        ("0000000000003000", []),
        ("0000000000001000", ["CAP_NET_RAW"]),
        ("0000000000000000", ["CAP_NET_ADMIN", "CAP_NET_RAW"]),
    ],
)
def test_missing_rights(tmp_path, effective, missing):
    """Both rights are needed: one for ip_set, one for the set match of iptables."""
    (tmp_path / "status").write_text(f"Name:\tx\nCapPrm:\tffffffffffffffff\nCapEff:\t{effective}\n")
    assert missing_rights(tmp_path / "status") == missing


def test_no_telling(tmp_path):
    """Where there is no /proc, the kernel will say it itself."""
    assert missing_rights(tmp_path / "status") == []
    (tmp_path / "status").write_text("Name:\tx\n")
    assert missing_rights(tmp_path / "status") == []


OPEN = """
import asyncio
from banwatch.config.model import FirewallSpec, JailSpec
from banwatch.errors import FirewallError
from banwatch.firewall.open import open_firewall
async def main():
    try:
        firewall = await open_firewall(FirewallSpec())
        await firewall.setup([JailSpec("sshd", ports=((22, 22),))])
    except FirewallError as error:
        print(error.message, "|", error.hint)
    else:
        print("laid", [holding.size for holding in await firewall.holdings()])
        await firewall.teardown()
        await firewall.close()
asyncio.run(main())
"""


def as_nobody(say, rights):
    """What a process without root, but with some of its rights, makes of it."""
    granted = ",".join(f"+{right}" for right in rights) or "-all"
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    argv += [f"--inh-caps={granted}", f"--ambient-caps={granted}"]
    return subprocess.run([*argv, sys.executable, "-c", OPEN], check=True, capture_output=True, text=True, timeout=30).stdout


@pytest.mark.kernel
def test_least_rights(netns, say):
    """A user who is nobody but has the two rights can do all of it."""
    assert as_nobody(say, ("net_admin", "net_raw")) == "laid [0, 0, 0, 0]\n"
    assert say.run("ipset", "list", "-name") == ""


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("rights", "message"),
    [((), "missing rights: CAP_NET_ADMIN, CAP_NET_RAW"), (("net_admin",), "missing rights: CAP_NET_RAW")],
)
def test_too_few_rights(netns, say, rights, message):
    """Without the rights it says which, and that a dry run needs none."""
    assert as_nobody(say, rights).startswith(f"{message} | run it as root")
