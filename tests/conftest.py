"""
Network namespaces for tests, and the reasons to skip what a machine cannot run.

Sockets and child processes stay in the namespace in which they were opened: enter, open, leave.
"""

import asyncio
import ctypes
import errno
import fcntl
import itertools
import os
import shutil
import socket
import struct
import subprocess
import threading
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import settings
from tests.house import House
from tests.journals import REMOTE, JournalFile

from banwatch.config.model import FirewallSpec, JailSpec
from banwatch.control.server import Server
from banwatch.firewall.open import open_firewall

# How long an example takes says more about what else the machine is doing than about the code.
settings.register_profile("suite")
settings.load_profile("suite")

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1

_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count(1)


def _call(name, *args):
    if getattr(_libc, name)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _lacking_kernel():
    """Why tests marked `kernel` cannot run here; None if they can."""
    if os.geteuid() != 0:
        return "needs root"
    if missing := [name for name in ("ip", "iptables", "ip6tables", "ipset", "nft") if shutil.which(name) is None]:
        return f"not installed: {', '.join(missing)}"
    child = "import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x40000000) != 0)"
    if subprocess.run(["python3", "-c", child], check=False).returncode != 0:
        return "no network namespaces are allowed here"
    return None


REASONS = {"kernel": _lacking_kernel}
"""Mark → why its tests cannot run here, or None; asked once, and only if there is such a test."""

_answers = {}


def pytest_runtest_setup(item):
    for mark, lacking in REASONS.items():
        if item.get_closest_marker(mark) is None:
            continue
        if mark not in _answers:
            _answers[mark] = lacking()
        if _answers[mark] is not None:
            pytest.skip(_answers[mark])


def _up(interface):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14x", interface.encode(), 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(sock, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", interface.encode(), flags | IFF_UP))


@contextmanager
def _fresh_namespace():
    """The current thread is in a new network namespace, with lo up, and comes back from it."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("unshare", CLONE_NEWNET)
        try:
            _up("lo")
            yield
        finally:
            _call("setns", home, CLONE_NEWNET)
    finally:
        os.close(home)


class Namespace:
    """A network namespace with a name, known to `ip netns`. As a context manager: the current thread is in it."""

    def __init__(self, name):
        self.name = name
        self._homes = []
        self.run_outside("ip", "netns", "add", name)
        self.run("ip", "link", "set", "lo", "up")

    @staticmethod
    def run_outside(*argv):
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30).stdout

    def run(self, *argv):
        """Run `argv` in it; its standard output."""
        return self.run_outside("ip", "netns", "exec", self.name, *argv)

    def __enter__(self):
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call("setns", there, CLONE_NEWNET)
        finally:
            os.close(there)
        self._homes.append(home)
        return self

    def __exit__(self, *_):
        home = self._homes.pop()
        try:
            _call("setns", home, CLONE_NEWNET)
        finally:
            os.close(home)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        """A non-blocking socket in it, wherever the thread is."""
        with self:
            sock = socket.socket(family, kind)
        sock.setblocking(False)
        return sock

    def remove(self):
        self.run_outside("ip", "netns", "del", self.name)


class VethPair:
    """
    `victim` and `attacker` joined by a veth pair, `link` at the victim's end.

    The victim is 192.0.2.10 and 2001:db8:0:10::10. The attacker owns 198.51.100.0/24, 203.0.113.0/24 and
    2001:db8:bad::/48, so that any of their addresses can be bound there.
    """

    victim4, victim6 = "192.0.2.10", "2001:db8:0:10::10"
    link = "veth0"

    def __init__(self, stack):
        stem = f"bwt{os.getpid()}-{next(_numbers)}"
        self.victim = Namespace(f"{stem}v")
        stack.callback(self.victim.remove)
        self.attacker = Namespace(f"{stem}a")
        stack.callback(self.attacker.remove)
        for side in (self.victim, self.attacker):
            with side:  # an address that is still being probed for duplicates cannot be used
                for where in ("default", "all"):
                    Path(f"/proc/sys/net/ipv6/conf/{where}/accept_dad").write_text("0")
        with self.attacker:  # IPv6, unlike IPv4, binds only what is configured, whatever the routes say
            Path("/proc/sys/net/ipv6/ip_nonlocal_bind").write_text("1")
        self.victim.run("ip", "link", "add", self.link, "type", "veth", "peer", "name", "veth0", "netns", self.attacker.name)
        for side, mine4, mine6 in (
            (self.victim, f"{self.victim4}/24", f"{self.victim6}/64"),
            (self.attacker, "192.0.2.1/24", "2001:db8:0:10::1/64"),
        ):
            side.run("ip", "link", "set", "veth0", "up")
            side.run("ip", "addr", "add", mine4, "dev", "veth0")
            side.run("ip", "addr", "add", mine6, "dev", "veth0", "nodad")
        for network, gateway in (
            ("198.51.100.0/24", "192.0.2.1"),
            ("203.0.113.0/24", "192.0.2.1"),
            ("2001:db8:bad::/48", "2001:db8:0:10::1"),
        ):
            self.victim.run("ip", "route", "add", network, "via", gateway)
            self.attacker.run("ip", "route", "add", "local", network, "dev", "lo")

    async def connects(self, source, port, patience=0.3):
        """
        Whether a TCP connection from the attacker's `source` to the victim's `port` comes about: "open", "refused" by a
        reset or an ICMP error, or "silent" after `patience` seconds without an answer.
        """
        family, target = (socket.AF_INET6, self.victim6) if ":" in source else (socket.AF_INET, self.victim4)
        with self.attacker.socket(family) as sock:
            sock.bind((source, 0))
            try:
                async with asyncio.timeout(patience):
                    await asyncio.get_running_loop().sock_connect(sock, (target, port))
            except TimeoutError:  # on a busy machine the answer may be there although nobody came to look at it
                outcome = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if outcome == errno.ECONNREFUSED:
                    return "refused"
                with suppress(OSError):
                    sock.getpeername()
                    return "open"
                return "silent"
            except ConnectionRefusedError:
                return "refused"
        return "open"


@pytest.fixture
def netns():
    """The test runs in a fresh network namespace with lo up."""
    with _fresh_namespace():
        yield


@pytest.fixture(params=["nft", "legacy"])
def each_iptables(request, monkeypatch):
    """The test runs once with each kind of iptables that there is."""
    names = [f"{stem}-{request.param}{end}" for stem in ("iptables", "ip6tables") for end in ("", "-restore")]
    if missing := [name for name in names if shutil.which(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    monkeypatch.setattr("banwatch.firewall.open._PROGRAMS", {4: tuple(names[:2]), 6: tuple(names[2:])})
    return request.param


@pytest.fixture
def veth_pair():
    """Two fresh namespaces joined by a veth pair; the test itself stays outside until it enters one."""
    with ExitStack() as stack:
        yield VethPair(stack)


class _Silent:
    """A log that nobody reads."""

    def warning(self, event, **fields): ...

    error = warning


@pytest.fixture
def serve(tmp_path):
    """serve(handlers): the path of a control socket on which they answer, from another thread, until the test is over."""
    loop, over, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    path = tmp_path / "banwatch.sock"
    threads = []

    async def answer(handlers):
        async with Server(str(path), "banwatch-nobody", False, handlers, _Silent()):
            ready.set()
            await over.wait()

    def start(handlers):
        threads.append(threading.Thread(target=lambda: loop.run_until_complete(answer(handlers))))
        threads[0].start()
        assert ready.wait(10)
        return path

    yield start
    if threads:
        loop.call_soon_threadsafe(over.set)
        threads[0].join()
    loop.close()


@pytest.fixture
def journal(tmp_path):
    """A journal file in a directory of its own; neither is there yet."""
    if not REMOTE.exists():
        pytest.skip(f"not installed: systemd-journal-remote ({REMOTE})")
    return JournalFile(tmp_path / "journal" / "system.journal")


@pytest.fixture
async def make_house(netns):
    """Makes houses, whose enforcers run until the test is over."""
    running, firewalls = [], []

    async def make(*specs, backend="ipset"):
        firewall = await open_firewall(FirewallSpec(backend))
        firewalls.append(firewall)
        house = House(firewall, specs or (JailSpec("sshd", ports=((22, 22),)),))
        await firewall.setup(house.specs)
        running.append(asyncio.create_task(house.enforcer.run()))
        await house.reconciler.compare(thoroughly=True)
        return house

    yield make
    for task in running:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    for firewall in firewalls:
        await firewall.close()
