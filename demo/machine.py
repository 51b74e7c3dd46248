"""
A machine within this machine: network, mounts and processes of its own, and a network of strangers around it.

Its first process lives as long as we hold a pipe to it. When we are gone, however we went, the kernel ends whatever ran
there and takes back its networks and mounts; there is nothing to clean up, and nothing of it was ever seen outside.
"""

import ctypes
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

PREPARE = Path(__file__).with_name("prepare")
CLONE_NEWNET = 0x40000000
LISTENING = "0A"
"""The state of a listening socket in /proc/net/tcp; Linux include/net/tcp_states.h."""

ADDRESS4 = "192.0.2.10"
ADDRESS6 = "2001:db8:0:10::10"
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}


def await_true(condition: Callable[[], bool], what: str, within: float = 10.0) -> None:
    """
    Returns as soon as `condition` holds.

    Raises:
        TimeoutError: it did not hold `within` seconds; the message is `what`.
    """
    end = time.monotonic() + within
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {within:g} s: {what}")
        time.sleep(0.01)


class Machine:
    """
    Used as a context manager. Needs root.

    Raises:
        RuntimeError: this machine does not allow one within; with what refused.
    """

    def __enter__(self) -> Self:
        argv = ["unshare", "--net", "--mount", "--pid", "--uts", "--fork", "--kill-child", str(PREPARE)]
        self._holder = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            start_new_session=True,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "ready\n":
            _, errors = self._holder.communicate()
            raise RuntimeError(f"this machine allows no machine within: {errors.strip()}")
        self.pid = child_of(self._holder.pid)
        self._started: list[subprocess.Popen[bytes]] = []
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._holder.communicate()
        for process in self._started:
            process.wait()

    def path(self, path: str) -> Path:
        """A file of the machine, as it is reached from here."""
        return Path(f"/proc/{self.pid}/root{path}")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Puts a file there, with the directories it needs."""
        file = self.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def argv(self, *argv: str, world: bool = False) -> list[str]:
        """The command that runs `argv` there; with `world` among the strangers."""
        network = f"--net={self._network(world)}"
        return ["nsenter", f"--target={self.pid}", "--mount", "--uts", "--pid", network, "--wd=/", "--", *argv]

    def run(
        self,
        *argv: str,
        world: bool = False,
        env: Mapping[str, str] | None = None,
        input: str = "",
        check: bool = True,
        timeout: float = 30.0,
    ) -> subprocess.CompletedProcess[str]:
        """
        Runs a command there to its end.

        Raises:
            RuntimeError: with `check`, it failed; with what it said.
        """
        done = subprocess.run(
            self.argv(*argv, world=world),
            env={**ENVIRONMENT, **(env or {})},
            input=input,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"{argv[0]} ended with {done.returncode}: {(done.stderr or done.stdout).strip()}")
        return done

    def start(
        self,
        *argv: str,
        world: bool = False,
        env: Mapping[str, str] | None = None,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        stderr: int | IO[bytes] = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Starts a command there; `child_of` tells its process, the one returned only stands for it."""
        process = subprocess.Popen(
            self.argv(*argv, world=world),
            env={**ENVIRONMENT, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def listening(self) -> set[int]:
        """The TCP ports on which something listens there."""
        ports = set()
        for table in ("tcp", "tcp6"):
            path = Path(f"/proc/{self.pid}/net/{table}")
            for line in path.read_text().splitlines()[1:] if path.exists() else ():
                fields = line.split()
                if fields[3] == LISTENING:
                    ports.add(int(fields[1].rpartition(":")[2], 16))
        return ports

    def await_ports(self, *ports: int) -> None:
        """Returns when something listens on all of them."""
        await_true(lambda: set(ports) <= self.listening(), f"listening on {ports}")

    def _network(self, world: bool) -> Path:
        return self.path("/run/netns/world") if world else Path(f"/proc/{self.pid}/ns/net")

    @contextmanager
    def in_network(self, world: bool = False) -> Iterator[None]:
        """Within it, this thread's new sockets are in the machine's network, or among the strangers; there they stay."""
        with Path("/proc/thread-self/ns/net").open() as home, self._network(world).open() as there:
            set_network(there.fileno())
            try:
                yield
            finally:
                set_network(home.fileno())

    def connect(self, source: str, port: int, timeout: float = 5.0) -> socket.socket:
        """
        A TCP connection from the stranger's address `source`.

        Raises:
            OSError: there is none; TimeoutError when nothing answered.
        """
        family, address = (socket.AF_INET6, ADDRESS6) if ":" in source else (socket.AF_INET, ADDRESS4)
        with self.in_network(world=True):
            connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout)
            connection.bind((source, 0))
            connection.connect((address, port))
        except OSError:
            connection.close()
            raise
        return connection

    def connects(self, source: str, port: int, timeout: float = 1.0) -> bool:
        """Whether a stranger gets a TCP connection; no answer within `timeout` seconds is a no."""
        try:
            self.connect(source, port, timeout).close()
        except TimeoutError:
            return False
        return True


def set_network(fd: int) -> None:
    """Moves this thread into the network namespace that `fd` is open on (os.setns comes with Python 3.12 only)."""
    if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def children_of(pid: int) -> list[int]:
    """The children that the main thread of a process has now."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def child_of(pid: int) -> int:
    """The only child of a process that stands for it, as unshare and nsenter do."""
    await_true(lambda: bool(children_of(pid)), f"a child of process {pid}")
    return children_of(pid)[0]
