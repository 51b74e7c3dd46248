"""firewall/open.py: which firewall, and whether this host can have it."""

import errno
import shutil
import subprocess
import sys

import pytest

from banwatch.config.model import FirewallSpec
from banwatch.errors import FirewallError
from banwatch.firewall.open import find_tables, missing_rights, open_firewall
from banwatch.firewall.refusal import refusal

PROGRAMS = {name: f"/sbin/{name}" for name in ("iptables", "iptables-restore", "ip6tables", "ip6tables-restore")}


@pytest.mark.parametrize(("backend", "dry_run"), [("null", False), ("auto", True), ("ipset", True), ("nftables", True)])
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
    assert missing_rights(tmp_path / "status", ((12, "CAP_NET_ADMIN"),)) == missing[:-1]


def test_no_telling(tmp_path):
    """Where there is no /proc, the kernel will say it itself."""
    assert missing_rights(tmp_path / "status") == []
    (tmp_path / "status").write_text("Name:\tx\n")
    assert missing_rights(tmp_path / "status") == []


OPEN = """
import asyncio, sys
from banwatch.config.model import FirewallSpec, JailSpec
from banwatch.errors import FirewallError
from banwatch.firewall.open import open_firewall
async def main():
    try:
        firewall = await open_firewall(FirewallSpec(sys.argv[1]))
        await firewall.setup([JailSpec("sshd", ports=((22, 22),))])
    except FirewallError as error:
        print(error.message, "|", error.hint)
    else:
        print("laid", [holding.size for holding in await firewall.holdings()])
        await firewall.teardown()
        await firewall.close()
asyncio.run(main())
"""


def as_nobody(rights, backend="auto"):
    """What a process without root, but with some of its rights, makes of it."""
    granted = ",".join(f"+{right}" for right in rights) or "-all"
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    argv += [f"--inh-caps={granted}", f"--ambient-caps={granted}"]
    return subprocess.run(
        [*argv, sys.executable, "-c", OPEN, backend], check=True, capture_output=True, text=True, timeout=30
    ).stdout


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("backend", "rights"),
    [("auto", ("net_admin", "net_raw")), ("ipset", ("net_admin", "net_raw")), ("nftables", ("net_admin",))],
)
def test_least_rights(netns, say, backend, rights):
    """A user who is nobody but has the two rights can do all of it, and for nftables one is enough."""
    assert as_nobody(rights, backend) == "laid [0, 0, 0, 0]\n"
    assert say.run("ipset", "list", "-name") + say.run("nft", "list", "tables", "inet") == ""


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("backend", "rights", "message"),
    [
        ("auto", (), "missing rights: CAP_NET_ADMIN, CAP_NET_RAW"),
        ("ipset", ("net_admin",), "missing rights: CAP_NET_RAW"),
        ("nftables", (), "missing rights: CAP_NET_ADMIN"),
    ],
)
def test_too_few_rights(netns, backend, rights, message):
    """Without the rights it says which, and that a dry run needs none."""
    assert as_nobody(rights, backend).startswith(f"{message} | run it as root")


@pytest.fixture
def hide(monkeypatch):
    """hide(*names): these programs cannot be found."""
    find = shutil.which
    hidden = set()
    monkeypatch.setattr(shutil, "which", lambda name, **kwargs: None if name in hidden else find(name, **kwargs))
    return lambda *names: hidden.update(names)


async def chosen(backend="auto"):
    """Which firewall it is, and what it notes."""
    firewall = await open_firewall(FirewallSpec(backend))
    await firewall.close()
    return firewall.name, firewall.notes


@pytest.mark.kernel
async def test_auto(netns, hide):
    """ipset where it can be had, else nftables, which says why; and where there is neither, what is missing of both."""
    assert await chosen() == ("ipset", ())
    assert await chosen("nftables") == ("nftables", ())
    hide("iptables", "iptables-restore")
    assert await chosen() == ("nftables", ("no ipset, so it is nftables: iptables and iptables-restore: not found",))
    hide("nft")
    with pytest.raises(FirewallError) as caught:
        await chosen()
    assert caught.value.message == "iptables and iptables-restore: not found; nft: not found"
    assert (caught.value.hint, caught.value.code) == ("apt-get install iptables; or apt-get install nftables", 69)
    with pytest.raises(FirewallError) as caught:
        await chosen("nftables")
    assert (caught.value.message, caught.value.hint) == ("nft: not found", "apt-get install nftables")


@pytest.mark.kernel
async def test_auto_where_iptables_does_not_work(netns, monkeypatch, program):
    """A program that is there and refuses is as good as none, if nobody has asked for it by name."""
    broken = program("iptables", "echo 'Table does not exist' >&2; exit 3")
    monkeypatch.setattr("banwatch.firewall.open._PROGRAMS", {4: (broken, broken), 6: ("ip6tables", "ip6tables-restore")})
    assert await chosen() == ("nftables", ("no ipset, so it is nftables: iptables refused (3): 'Table does not exist'",))


@pytest.mark.kernel
async def test_auto_without_ip_set(netns, monkeypatch):
    """A kernel without ip_set has nftables."""

    async def refuse(self, families):
        raise refusal("ipset cannot be used", OSError(errno.EINVAL, ""))

    monkeypatch.setattr("banwatch.firewall.sets.KernelSets.open", refuse)
    assert await chosen() == ("nftables", ("no ipset, so it is nftables: ipset cannot be used: the kernel has no ip_set",))
    with pytest.raises(FirewallError, match="the kernel has no ip_set"):
        await chosen("ipset")
