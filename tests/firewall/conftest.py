"""A firewall in a namespace of its own, and short ways to say who is banned."""

import subprocess

import pytest

from banwatch.config.model import FirewallSpec, JailSpec
from banwatch.firewall.nft_link import Link
from banwatch.firewall.open import open_firewall
from banwatch.model import Ban, Target

NOW = 1_000_000.0


class Say:
    """Builders for tests: `ban`, `key` and `jail` from the least that makes them; `run` a program."""

    now = NOW

    @staticmethod
    def ban(who, seconds=600.0, jail="sshd", enforce=True):
        realm = "login" if who.startswith("login:") else "net"
        until = None if seconds is None else NOW + seconds
        return Ban(jail, Target(realm, who.removeprefix("login:")), "ip", NOW, until, enforce=enforce)

    @staticmethod
    def key(who, jail="sshd"):
        return jail, Target("net", who)

    @staticmethod
    def jail(name="sshd", ports=((22, 22),), **kwargs):
        return JailSpec(name, ports=ports, **kwargs)

    @staticmethod
    def run(*argv, text=None):
        return subprocess.run(argv, check=True, capture_output=True, text=True, input=text, timeout=30).stdout

    @staticmethod
    async def banned(firewall):
        """Seconds left by (jail, target), all sets together."""
        return {
            (jail, Target("net", who)): left
            for holding in await firewall.holdings()
            for who, left in (await firewall.members(holding.name)).left.items()
            for jail in holding.jails
        }


@pytest.fixture
def say():
    return Say


@pytest.fixture
def program(tmp_path):
    """program(name, script) writes a program that stands for another; returns its path."""

    def write(name, script):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return write


@pytest.fixture
async def link(netns):
    """A conversation with nf_tables in a fresh network namespace, where our table has one set, `s`."""
    text = "add table inet banwatch\nadd set inet banwatch s { type ipv4_addr; flags timeout; counter; }\n"
    Say.run("nft", "-f", "-", text=text)
    opened = await Link().open()
    yield opened
    opened.close()


@pytest.fixture
async def firewall(netns):
    """The real one, in a fresh network namespace that the test is in, too."""
    opened = await open_firewall(FirewallSpec("ipset"))
    yield opened
    await opened.close()
