"""firewall/nft.py: how nft is asked, and what its refusals mean. The real one runs in test_nftables.py."""

import pytest

from banwatch.errors import FirewallError
from banwatch.firewall.nft import Nft


async def test_lay(program, tmp_path):
    """The text goes in as it is, on standard input."""
    await Nft(program("nft", f'echo "$*" >{tmp_path}/asked; cat >{tmp_path}/text')).lay("add table inet banwatch\n")
    assert (tmp_path / "asked").read_text() == "-f -\n"
    assert (tmp_path / "text").read_text() == "add table inet banwatch\n"


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("Operation not permitted (you must be root)", "run it as root"),
        ("Error: Could not process rule: No such file or directory", "modprobe nf_tables"),
        ("netlink: Error: cache initialization failed: Operation not supported", "modprobe nf_tables"),
        ("Error: syntax error, unexpected counter", "nft is too old"),
        ("something new", ""),
    ],
)
async def test_refused(program, said, hint):
    """A refusal is told in the program's own words, and with what helps."""
    with pytest.raises(FirewallError) as caught:
        await Nft(program("nft", f'echo "{said}" >&2; exit 1')).lay("")
    assert caught.value.message == f"nft refused (1): {said!r}"
    assert caught.value.hint.startswith(hint)
    assert bool(caught.value.hint) == bool(hint)


async def test_missing():
    """A program that is not there is an error with the package it is in."""
    with pytest.raises(FirewallError) as caught:
        await Nft("/nonexistent/nft").lay("")
    assert caught.value.message == "nft cannot be started: No such file or directory"
    assert caught.value.hint == "apt-get install nftables"
