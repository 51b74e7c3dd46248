"""host/systemd.py: what the service manager hears."""

import os
import socket

import pytest

from banwatch.host.systemd import Notifier


@pytest.fixture
def manager(tmp_path):
    """A socket as systemd has it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        yield listening, str(tmp_path / "notify")


def test_the_manager_hears_each_step(manager):
    """Ready, reloading with the monotonic time that systemd 252 wants, alive, stopping."""
    listening, path = manager
    notifier = Notifier({"NOTIFY_SOCKET": path})
    notifier.ready("3 jails")
    notifier.reloading()
    notifier.alive()
    notifier.stopping()
    heard = [listening.recv(4096).decode() for _ in range(4)]
    assert heard[0] == "READY=1\nSTATUS=3 jails"
    head, _, usec = heard[1].partition("\nMONOTONIC_USEC=")
    assert (head, usec.isdigit()) == ("RELOADING=1", True)
    assert heard[2:] == ["WATCHDOG=1", "STOPPING=1"]


def test_an_abstract_socket(tmp_path):
    """@name is a socket in the abstract namespace."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + str(tmp_path))
        Notifier({"NOTIFY_SOCKET": "@" + str(tmp_path)}).alive()
        assert listening.recv(100) == b"WATCHDOG=1"


def test_without_a_manager_nothing_happens(tmp_path):
    """No variable, or a socket that is gone: silence."""
    Notifier({}).ready("")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("")


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "x"}, None),
        ({}, None),
    ],
)
def test_watchdog(environ, seconds):
    """The watchdog is ours only when systemd means this process."""
    assert Notifier(environ).watchdog == seconds
