"""daemon.py: the rooms together, in a network namespace with the kernel's own sets."""

import json
import re
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.journals import SSHD as BY_SSHD

from banwatch.config.paths import shipped_dir
from banwatch.firewall.base import MARKS

pytestmark = pytest.mark.kernel

PATIENCE = 20.0

SSHD = """\
sshd:
  enabled: true
  enforce: {enforce}
  watch: {{sshd: {{logs: [{log}]}}}}
  rules: {{ip: {{limit: 3/10m, bantime: {bantime}}}}}
"""


class Running:
    """`banwatch run` as a child of the test, in the namespace the test is in."""

    def __init__(self, home, *options, wrap=()):
        self.home, self.lines = home, []
        program = (sys.executable, "-m", "banwatch.cli.main", "run", "--config", str(home), "--socket", str(home / "s"))
        program = (*program, "--state", str(home / "banwatch.db"))
        self.process = subprocess.Popen([*wrap, *program, *options], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self._rest = b""

    def await_line(self, pattern):
        """The first line of its log, from the start on, that has `pattern` in it."""
        deadline = time.monotonic() + PATIENCE
        seen = 0
        while True:
            for line in self.lines[seen:]:
                if re.search(pattern, line):
                    return line
            seen = len(self.lines)
            if not self._read(deadline):
                raise AssertionError(f"no line like {pattern!r} in:\n" + "\n".join(self.lines))

    def _read(self, deadline):
        ready, _, _ = select.select([self.process.stderr], [], [], max(0.0, deadline - time.monotonic()))
        block = self.process.stderr.read1() if ready else b""
        *whole, self._rest = (self._rest + block).split(b"\n")
        self.lines += [line.decode() for line in whole]
        return bool(block)

    def write(self, *attackers):
        """One failed login for each."""
        with Path(self.home / "auth.log").open("a") as log:
            for attacker in attackers:
                at = datetime.now(UTC).isoformat()
                log.write(f"{at} mx sshd[1]: Failed password for root from {attacker} port 42 ssh2\n")

    def client(self, *words):
        argv = (sys.executable, "-m", "banwatch.cli.client", "--socket", str(self.home / "s"), *words)
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE)

    def wait(self):
        while self._read(time.monotonic() + PATIENCE):
            pass
        return self.process.wait(PATIENCE)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()


def entries(name="banwatch-sshd-4"):
    """Members of a set with their seconds, as ipset lists them, without the one that only marks it."""
    listed = subprocess.run(("ipset", "list", name), capture_output=True, text=True, check=True).stdout
    found = {member: int(left) for member, left in re.findall(r"^(\S+) timeout (\d+)", listed, re.MULTILINE)}
    return {member: left for member, left in found.items() if member not in MARKS.values()}


@pytest.fixture
def home(tmp_path):
    """A configuration of one jail, whose log is there."""
    (tmp_path / "jails.d").mkdir()
    shipped = "".join(path.read_text() for path in (shipped_dir() / "jails").glob("*.yaml"))
    others = sorted(set(re.findall(r"^([\w.-]+):", shipped, re.MULTILINE)) - {"sshd", "manual"})
    (tmp_path / "jails.d" / "others.yaml").write_text("".join(f"{name}: {{enabled: false}}\n" for name in others))
    (tmp_path / "auth.log").touch()
    (tmp_path / "banwatch.yaml").write_text("metrics: {port: 0}\n")
    configure(tmp_path)
    return tmp_path


def configure(home, bantime="10m", enforce="true"):
    text = SSHD.format(log=home / "auth.log", bantime=bantime, enforce=enforce)
    (home / "jails.d" / "sshd.yaml").write_text(text)


@pytest.fixture
def start(netns, home):
    """Starts daemons; all are gone when the test is over."""
    with ExitStack() as stack:

        def run(*options, ready=True, wrap=()):
            daemon = Running(home, *options, wrap=wrap)
            stack.callback(daemon.end)
            if ready:
                daemon.await_line("protecting this host|dry run")
            return daemon

        yield run


def test_three_failures_and_the_kernel_has_it(start):
    """The third line bans, the kernel ends it by itself, and the book follows."""
    daemon = start()
    daemon.write("198.51.100.7", "198.51.100.7", "2001:db8:bad::1", "198.51.100.7")
    line = daemon.await_line(r"\[sshd\] Ban ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d WARNING \[sshd\] Ban 198\.51\.100\.7", line)
    assert list(entries()) == ["198.51.100.7"]
    assert 595 <= entries()["198.51.100.7"] <= 600
    daemon.write("2001:db8:bad::2", "2001:db8:bad::3")
    daemon.await_line(r"\[sshd\] Ban 2001:db8:bad::/64$")
    assert list(entries("banwatch-sshd-6")) == ["2001:db8:bad::/64"]


def test_a_ban_ends_and_is_told(start, home):
    """After the bantime the entry is gone and the log says so."""
    configure(home, bantime="1s")
    daemon = start()
    daemon.write(*["198.51.100.7"] * 3)
    daemon.await_line(r"Ban 198\.51\.100\.7$")
    daemon.await_line(r"WARNING \[sshd\] Unban 198\.51\.100\.7$")
    assert entries() == {}
    [status] = map(json.loads, daemon.client("status", "sshd", "--json").stdout.splitlines())
    assert (status["currently_banned"], status["total_banned"], status["total_failed"]) == (0, 1, 3)


def test_killed_and_started_again(start, home):
    """SIGKILL leaves the ban in the kernel; the next daemon takes it over and knows why it was."""
    first = start()
    first.write(*["198.51.100.7"] * 3)
    first.await_line("Ban 198")
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    left = entries()["198.51.100.7"]
    subprocess.run(("ipset", "add", "banwatch-sshd-4", "203.0.113.9", "timeout", "500"), check=True)
    second = start()
    assert entries()["198.51.100.7"] <= left + 1  # the rest is rounded up anew
    second.write(*["198.51.100.8"] * 3)
    second.await_line(r"Ban 198\.51\.100\.8$")  # so the lines before it were read again
    bans = {ban["who"]: ban for ban in map(json.loads, second.client("banned", "--json").stdout.splitlines())}
    assert (bans["198.51.100.7"]["origin"], bans["198.51.100.7"]["rule"]) == ("rule", "ip")
    assert bans["203.0.113.9"]["origin"] == "adopted"
    assert all(ban["enforced"] for ban in bans.values())


def test_a_second_daemon_refuses(start):
    """Two daemons on one socket would fight; the first goes on."""
    first = start()
    second = start(ready=False)
    assert second.wait() == 1
    assert "another banwatch" in "\n".join(second.lines)
    assert first.client("ping").stdout == "pong\n"


def test_reload_is_all_or_nothing(start, home):
    """A mistake is told with file and line, and what ran before goes on; mended, it is taken over and keeps bans."""
    daemon = start()
    daemon.write(*["198.51.100.7"] * 3)
    daemon.await_line("Ban 198")
    configure(home, bantime="ten minutes")
    reply = daemon.client("reload")
    assert reply.returncode == 78
    assert "jails.d/sshd.yaml:5: sshd.rules.ip.bantime: expected a duration" in reply.stderr
    assert daemon.client("status", "sshd").returncode == 0
    configure(home, bantime="20m")
    assert daemon.client("reload").returncode == 0
    daemon.write(*["198.51.100.8"] * 3)
    daemon.await_line("Ban 198.51.100.8")
    assert entries()["198.51.100.8"] > 1000
    assert 500 < entries()["198.51.100.7"] <= 600


def test_hangup_reloads(start, home):
    """SIGHUP is a reload; a jail that is gone leaves nothing in the kernel."""
    daemon = start()
    daemon.write(*["198.51.100.7"] * 3)
    daemon.await_line("Ban 198")
    (home / "jails.d" / "sshd.yaml").write_text("sshd: {enabled: false}\n")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.await_line("Unban 198.51.100.7")
    daemon.await_line("reloaded")
    assert "banwatch-sshd-4" not in subprocess.run(("ipset", "list", "-n"), capture_output=True, text=True, check=True).stdout


def test_a_jail_that_only_looks_on(start, home):
    """enforce: false counts and tells; switched on by a reload, it bans whom it had noted."""
    configure(home, enforce="false")
    daemon = start()
    daemon.write(*["198.51.100.7"] * 3)
    daemon.await_line("Would ban 198.51.100.7")
    assert daemon.client("status", "sshd").stdout.count("198.51.100.7") == 0
    configure(home, enforce="true")
    assert daemon.client("reload").returncode == 0
    daemon.await_line(r"\] Ban 198.51.100.7")
    assert list(entries()) == ["198.51.100.7"]


def test_stop_and_flush(start):
    """Stopping leaves the bans and the rules; with --flush nothing of ours stays."""
    daemon = start()
    daemon.write(*["198.51.100.7"] * 3)
    daemon.await_line("Ban 198")
    assert daemon.client("stop").returncode == 0
    assert daemon.wait() == 0
    assert list(entries()) == ["198.51.100.7"]
    again = start()
    assert again.client("stop", "--flush").returncode == 0
    assert again.wait() == 0
    assert subprocess.run(("ipset", "list", "-n"), capture_output=True, text=True, check=True).stdout == ""
    rules = subprocess.run(("iptables", "-S"), capture_output=True, text=True, check=True).stdout
    assert "banwatch" not in rules


def test_a_flush_spares_sets_of_others(start, home):
    """A set that somebody else made stays, with what he put into it and without what we did."""
    subprocess.run(("ipset", "create", "theirs", "hash:net", "timeout", "0", "counters"), check=True)
    subprocess.run(("ipset", "add", "theirs", "203.0.113.9"), check=True)
    jail = home / "jails.d" / "sshd.yaml"
    jail.write_text(jail.read_text() + "  set: theirs\n")
    daemon = start()
    daemon.write(*["198.51.100.7"] * 3)
    daemon.await_line("Ban 198")
    assert sorted(entries("theirs")) == ["198.51.100.7", "203.0.113.9"]
    assert daemon.client("stop", "--flush").returncode == 0
    assert daemon.wait() == 0
    assert list(entries("theirs")) == ["203.0.113.9"]


def test_a_set_that_cannot_be_used(start, home):
    """At the start its jail alone is left out, loudly, until the set is mended; a reload with such a set is refused."""
    subprocess.run(("ipset", "create", "theirs", "hash:ip", "timeout", "0"), check=True)
    other = home / "jails.d" / "other.yaml"
    rules = "{ip: {by: ip, count: [auth], limit: 3/10m, bantime: 10m}}"
    other.write_text(f"other: {{enabled: true, watch: {{sshd: {{logs: [/x]}}}}, rules: {rules}, set: theirs}}\n")
    daemon = start()
    assert "set 'theirs' is of type hash:ip" in daemon.await_line("ERROR .*jail is left out of the firewall")
    daemon.write(*["198.51.100.7"] * 3)
    daemon.await_line("Ban 198")
    assert list(entries()) == ["198.51.100.7"]
    [status] = map(json.loads, daemon.client("status", "other", "--json").stdout.splitlines())
    assert (status["state"], status["problems"]) == ("degraded", ["set 'theirs' is of type hash:ip, not hash:net"])
    reply = daemon.client("reload")
    assert reply.returncode == 69
    assert "set 'theirs' is of type hash:ip" in reply.stderr
    assert list(entries()) == ["198.51.100.7"]
    subprocess.run(("ipset", "destroy", "theirs"), check=True)
    subprocess.run(("ipset", "create", "theirs", "hash:net", "timeout", "0"), check=True)
    assert daemon.client("reload").returncode == 0
    assert daemon.client("ban", "other", "203.0.113.9").returncode == 0
    assert list(entries("theirs")) == ["203.0.113.9"]


def test_a_dry_run_touches_nothing(start):
    """It says what it would do, and the kernel never hears of it."""
    daemon = start("--dry-run")
    daemon.write(*["198.51.100.7"] * 3)
    daemon.await_line("Would ban 198.51.100.7")
    assert subprocess.run(("ipset", "list", "-n"), capture_output=True, text=True, check=True).stdout == ""
    assert json.loads(daemon.client("banned", "--json").stdout)["enforced"] is False


def test_without_rights(start, home):
    """As an ordinary user: exit 69, with what is missing; not a traceback."""
    for path in (home, *home.parents[:2]):
        path.chmod(0o777)
    daemon = start(ready=False, wrap=("setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=-all"))
    assert daemon.wait() == 69
    assert "CAP_NET_ADMIN" in "\n".join(daemon.lines)
    assert "Traceback" not in "\n".join(daemon.lines)


WITHOUT_NETLINK = """
import ctypes, os, platform, struct, sys
NR_SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
program = [(LOAD, 0, 0, 0), (EQUAL, 0, 3, NR_SOCKET), (LOAD, 0, 0, 16), (EQUAL, 0, 1, 16)]  # AF_NETLINK is 16
program += [(RETURN, 0, 0, 0x00050000 | 97), (RETURN, 0, 0, 0x7FFF0000)]  # EAFNOSUPPORT; allow
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
filter = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, filter, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_dry_run_without_netlink(start):
    """In a sandbox that has none it decides and tells all the same, and says what it does without."""
    daemon = start("--dry-run", wrap=(sys.executable, "-c", WITHOUT_NETLINK))
    line = daemon.await_line("addresses of this host cannot be read: netlink is not to be had here")
    assert "RestrictAddressFamilies has to name AF_NETLINK" in line
    daemon.write(*["198.51.100.7"] * 3)
    daemon.await_line("Would ban 198.51.100.7")
    assert "Traceback" not in "\n".join(daemon.lines)


def test_no_netlink(start):
    """Without it nothing can be enforced: exit 69, with what is missing and what to do."""
    daemon = start(ready=False, wrap=(sys.executable, "-c", WITHOUT_NETLINK))
    assert daemon.wait() == 69
    assert "netlink is not to be had here" in "\n".join(daemon.lines)
    assert "Traceback" not in "\n".join(daemon.lines)


@pytest.mark.parametrize(
    ("file", "text", "what"),
    [
        ("banwatch.yaml", "metrics: {prot: 1}\n", "banwatch.yaml:1: metrics.prot: unknown key"),
        ("jails.d/zz.yaml", "sshd: null\nmanual: null\n", "no jail remains"),
    ],
)
def test_what_cannot_be_used_is_78(start, home, file, text, what):
    """Nothing to run with: every problem, and the exit code that says so."""
    (home / file).write_text(text)
    daemon = start(ready=False)
    assert daemon.wait() == 78
    assert what in "\n".join(daemon.lines)


def test_a_broken_jail_is_left_out(start, home):
    """The others protect the host, and status says degraded."""
    (home / "jails.d" / "other.yaml").write_text("other:\n  watch: {sshd: {}}\n  rules: {ip: {limit: many}}\n")
    daemon = start()
    assert any("jails.d/other.yaml:3" in line for line in daemon.lines)
    daemon.write(*["198.51.100.7"] * 3)
    daemon.await_line("Ban 198")
    reply = daemon.client("status")
    assert "Jail list:\tmanual, sshd" in reply.stdout
    assert "other" in reply.stdout + reply.stderr


def test_metrics_are_served_or_said_not_to_be(start, home):
    """A taken port costs the metrics, not the protection."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (home / "banwatch.yaml").write_text(f"metrics: {{port: {port}}}\n")
        daemon = start()
        daemon.await_line(f"metrics are not served on 127.0.0.1:{port}")
        daemon.client("stop")
        daemon.wait()
    again = start()
    again.write(*["198.51.100.7"] * 3)
    again.await_line("Ban 198")
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as asking:
        asking.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b"".join(iter(lambda: asking.recv(65536), b"")).decode()
    assert 'banwatch_book_bans_total{jail="sshd"} 1.0' in answer
    assert "banwatch_firewall_ban_latency_seconds_count 1.0" in answer


def test_an_own_address_is_never_banned(start):
    """Not even one that the host got after the start."""
    daemon = start()
    subprocess.run(("ip", "addr", "add", "198.51.100.7/32", "dev", "lo"), check=True)
    daemon.write(*["198.51.100.8"] * 3)
    daemon.await_line("Ban 198.51.100.8")
    deadline = time.monotonic() + PATIENCE
    while daemon.client("ban", "198.51.100.7").returncode != 1:
        daemon.client("unban", "198.51.100.7")
        assert time.monotonic() < deadline
    daemon.write(*["198.51.100.7"] * 3, *["198.51.100.9"] * 3)
    daemon.await_line("Ban 198.51.100.9")
    assert "198.51.100.7" not in entries()


def test_a_burst_is_in_force_at_once(start):
    """Ten thousand addresses that cross the limit together are all in the set."""
    daemon = start()
    attackers = [f"198.18.{number // 250}.{number % 250 + 1}" for number in range(10_000)]
    daemon.write(*attackers * 3)
    deadline = time.monotonic() + PATIENCE
    while len(entries()) < 10_000:
        assert time.monotonic() < deadline
    assert set(entries()) == set(attackers)


def test_a_reload_puts_back_what_is_missing(start):
    """After somebody destroyed a set, or emptied it, what is called enforced is enforced."""
    daemon = start()
    daemon.write(*["198.51.100.7"] * 3)
    daemon.await_line("Ban 198")
    left = entries()["198.51.100.7"]
    for damage in (
        (("iptables", "-F", "banwatch"), ("ipset", "destroy", "banwatch-sshd-4")),
        (("ipset", "flush"),),
        (("iptables", "-F"), ("ip6tables", "-F"), ("iptables", "-X"), ("ip6tables", "-X"), ("ipset", "destroy")),
    ):
        for command in damage:
            subprocess.run(command, check=True)
        assert daemon.client("reload").returncode == 0
        assert left - 60 < entries()["198.51.100.7"] <= left
        assert json.loads(daemon.client("banned", "--json").stdout)["enforced"] is True
    assert sum("Ban 198.51.100.7" in line for line in daemon.lines) == 1


def test_what_others_do_is_repaired_within_five_seconds(start, home):
    """Sets and rules are taken away, members are put in and taken out by hand; status and the book follow the kernel."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (home / "banwatch.yaml").write_text(f"metrics: {{port: {port}}}\n")
    daemon = start()
    daemon.write(*["198.51.100.7"] * 3)
    daemon.write(*["198.51.100.8"] * 3)
    daemon.await_line("Ban 198.51.100.8")
    before = subprocess.run(("iptables", "-S"), capture_output=True, text=True, check=True).stdout
    begun = time.monotonic()
    for command in ("iptables -F", "iptables -X", "ip6tables -F", "ip6tables -X", "ipset destroy"):
        subprocess.run(command.split(), check=True)
    daemon.await_line("bans are put back into a set .*bans=2")
    assert time.monotonic() - begun < 5.0
    assert subprocess.run(("iptables", "-S"), capture_output=True, text=True, check=True).stdout == before
    subprocess.run(("ipset", "del", "banwatch-sshd-4", "198.51.100.7"), check=True)
    subprocess.run(("ipset", "add", "banwatch-sshd-6", "2001:db8::/64", "timeout", "500"), check=True)
    begun = time.monotonic()
    daemon.await_line("Unban 198.51.100.7")
    daemon.await_line("bans found in the kernel")
    assert time.monotonic() - begun < 5.0
    bans = {ban["who"]: ban["origin"] for ban in map(json.loads, daemon.client("banned", "--json").stdout.splitlines())}
    assert bans == {"198.51.100.8": "rule", "2001:db8::/64": "adopted"}
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as asking:
        asking.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b"".join(iter(lambda: asking.recv(65536), b"")).decode()
    for line in (
        "banwatch_firewall_expected 2.0",
        "banwatch_firewall_enforced 2.0",
        'banwatch_firewall_by_hand_total{what="removed"} 1.0',
        'banwatch_firewall_by_hand_total{what="added"} 1.0',
        'banwatch_firewall_repairs_total{cause="set"} 1.0',
    ):
        assert line in answer


AUTO = """\
sshd:
  enabled: auto
  watch: {{sshd: {{logs: [{log}]}}}}
  rules: {{ip: {{limit: 3/10m, bantime: 10m}}}}
"""


def test_an_auto_jail_is_off_until_its_log_is_there(start, home):
    """No sets, no rules, not in the list; when the log appears it protects from the first line on."""
    (home / "auth.log").unlink()
    (home / "jails.d" / "sshd.yaml").write_text(AUTO.format(log=home / "auth.log"))
    daemon = start()
    assert "Jail list:\tmanual\n" in daemon.client("status").stdout
    assert "banwatch-sshd-4" not in subprocess.run(("ipset", "list", "-n"), capture_output=True, text=True, check=True).stdout
    daemon.write(*["198.51.100.7"] * 3)
    daemon.await_line("Ban 198.51.100.7")
    assert list(entries()) == ["198.51.100.7"]
    assert "Jail list:\tmanual, sshd\n" in daemon.client("status").stdout
    rules = subprocess.run(("iptables", "-S"), capture_output=True, text=True, check=True).stdout
    assert "--dports 22 -m set --match-set banwatch-sshd-4 src" in rules


def test_an_auto_jail_with_bans_in_the_kernel_is_on(start, home):
    """Its log may be gone for a while; its bans are not."""
    daemon = start()
    daemon.write(*["198.51.100.7"] * 3)
    daemon.await_line("Ban 198")
    daemon.client("stop")
    daemon.wait()
    (home / "auth.log").unlink()
    (home / "jails.d" / "sshd.yaml").write_text(AUTO.format(log=home / "auth.log"))
    start()
    assert list(entries()) == ["198.51.100.7"]


def test_a_ban_by_hand_switches_a_jail_on(start, home):
    """Who names a jail means it."""
    (home / "auth.log").unlink()
    (home / "jails.d" / "sshd.yaml").write_text(AUTO.format(log=home / "auth.log"))
    daemon = start()
    assert daemon.client("ban", "sshd", "198.51.100.7").returncode == 0
    assert list(entries()) == ["198.51.100.7"]


def test_a_missing_log_is_told(start, home):
    """A jail that was switched on waits for its log, and the start says so."""
    (home / "auth.log").unlink()
    daemon = start()
    line = daemon.await_line("log is waited for")
    assert "auth.log" in line
    assert "no such file or directory" in line
    daemon.write(*["198.51.100.7"] * 3)
    daemon.await_line("Ban 198")


def test_a_reload_that_adds_a_log_reads_it(start, home):
    """What stands in the log of a new jail counts as at a start."""
    (home / "jails.d" / "sshd.yaml").write_text("sshd: {enabled: false}\n")
    daemon = start()
    daemon.write(*["198.51.100.7"] * 3)
    configure(home)
    assert daemon.client("reload").returncode == 0
    daemon.await_line("Ban 198.51.100.7")


def test_more_logs_than_descriptors(start, home):
    """With a hard limit of 200 files and 300 logs it starts, hears every log, and says in status what to raise."""
    (home / "vhosts").mkdir()
    for number in range(300):
        (home / "vhosts" / f"{number:03d}.log").touch()
    text = (home / "jails.d" / "sshd.yaml").read_text().replace("auth.log]", f"auth.log, {home}/vhosts/*.log]")
    (home / "jails.d" / "sshd.yaml").write_text(text)
    daemon = start(wrap=("prlimit", "--nofile=100:200"))
    at = datetime.now(UTC).isoformat()
    for number in (0, 150, 299):
        with (home / "vhosts" / f"{number:03d}.log").open("a") as log:
            log.write(f"{at} mx sshd[1]: Failed password for root from 198.51.100.7 port 42 ssh2\n")
    daemon.await_line(r"\[sshd\] Ban 198\.51\.100\.7$")
    reply = json.loads(daemon.client("status", "sshd", "--json").stdout)
    assert daemon.client("status").stderr.count("opened only to be read") == 1
    assert reply["total_failed"] == 3
    limits = Path(f"/proc/{daemon.process.pid}/limits").read_text()
    assert re.search(r"^Max open files +200 +200 ", limits, re.MULTILINE)
    assert len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir())) < 200 - 64


def reboot():
    """The kernel forgets all sets and rules."""
    for program in ("iptables", "ip6tables"):
        subprocess.run((program, "-F"), check=True)
        subprocess.run((program, "-X"), check=True)
    subprocess.run(("ipset", "destroy"), check=True)


def remembered(daemon):
    return {ban["who"]: ban for ban in map(json.loads, daemon.client("banned", "--json").stdout.splitlines())}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_bans_survive_a_reboot(start, home, number):
    """With their reason, their end, and without being news; allowances too."""
    first = start()
    first.write(*["198.51.100.7"] * 3)
    first.await_line("Ban 198")
    for words in (("ban", "203.0.113.9", "--for", "forever"), ("ban", "203.0.113.10", "--for", "40d"), ("allow", "192.0.2.44")):
        assert first.client(*words).returncode == 0
    before = remembered(first)
    first.process.send_signal(number)
    first.wait()
    (home / "auth.log").write_text("")
    reboot()
    second = start()
    after = remembered(second)
    assert after.keys() == before.keys()
    for who, ban in after.items():
        assert {**ban, "left": 0, "dropped": 0} == {**before[who], "left": 0, "dropped": 0}
        assert ban["enforced"]
    assert list(entries()) == ["198.51.100.7"]
    assert 590 <= entries()["198.51.100.7"] <= 600
    by_hand = entries("banwatch-manual-4")
    assert by_hand.keys() == {"203.0.113.9", "203.0.113.10"}
    assert by_hand["203.0.113.9"] == 0
    assert 2147400 <= by_hand["203.0.113.10"] <= 2147483
    assert "192.0.2.44" in entries("banwatch-allow-4")
    assert not [line for line in second.lines if " Ban " in line]


def test_an_acknowledged_unban_never_comes_back(start):
    """Killed right after the answer, and the kernel forgets everything."""
    first = start()
    for who in ("203.0.113.9", "203.0.113.10"):
        assert first.client("ban", who).returncode == 0
    assert first.client("unban", "203.0.113.9").returncode == 0
    first.process.send_signal(signal.SIGKILL)
    first.wait()
    reboot()
    assert list(remembered(start())) == ["203.0.113.10"]


def test_a_ban_that_ended_meanwhile(start, home):
    """Is over, also for a kernel that would still have it, and the history tells when that was seen."""
    first = start()
    first.client("ban", "203.0.113.9", "--for", "1s")
    first.client("ban", "203.0.113.10")
    first.process.send_signal(signal.SIGKILL)
    first.wait()
    with sqlite3.connect(home / "banwatch.db") as database:
        database.execute("UPDATE bans SET until = at - 60, at = at - 600")
    database.close()
    second = start()
    assert remembered(second).keys() <= {"203.0.113.10"}
    events = [json.loads(line) for line in second.client("history", "203.0.113.9", "--json").stdout.splitlines()]
    assert [(event["action"], event["why"]) for event in events[-1:]] == [("unban", "expired while banwatch was not running")]


def test_a_damaged_store_stops_nothing(start, home):
    """It is set aside and told; bans go on, and are remembered again."""
    (home / "banwatch.db").write_bytes(b"garbage" * 1000)
    daemon = start()
    daemon.await_line("store is damaged")
    daemon.await_line("store can be used again")
    daemon.write(*["198.51.100.7"] * 3)
    daemon.await_line("Ban 198")
    assert daemon.client("ban", "203.0.113.9").returncode == 0
    assert "degraded" not in daemon.client("status").stderr
    daemon.process.send_signal(signal.SIGKILL)
    daemon.wait()
    assert list(home.glob("banwatch.db.corrupt-*"))
    reboot()
    assert set(remembered(start())) == {"198.51.100.7", "203.0.113.9"}


def test_a_locked_store_stops_nothing(start, home):
    """Commands are carried out, status says what is wrong, and all is written when the lock is gone."""
    first = start()
    first.client("stop")
    first.wait()
    other = sqlite3.connect(home / "banwatch.db", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    daemon = start()
    assert daemon.client("ban", "203.0.113.9").returncode == 0
    assert list(entries("banwatch-manual-4")) == ["203.0.113.9"]
    assert "nothing is remembered over a restart" in daemon.client("status").stderr
    other.close()
    daemon.await_line("store can be used again")
    daemon.process.send_signal(signal.SIGKILL)
    daemon.wait()
    reboot()
    assert list(remembered(start())) == ["203.0.113.9"]


def test_a_flush_is_remembered(start, home):
    """What the operator took away does not come back; who is allowed stays so."""
    first = start()
    first.client("ban", "203.0.113.9")
    first.client("allow", "192.0.2.44")
    first.client("stop", "--flush")
    first.wait()
    second = start()
    assert remembered(second) == {}
    assert "192.0.2.44" in second.client("allowed").stdout


def test_a_dry_run_leaves_the_store_alone(start, home):
    """Unless it is told to use one."""
    start().client("ban", "203.0.113.9")
    before = (home / "banwatch.db").read_bytes()
    argv = (sys.executable, "-m", "banwatch.cli.main", "run", "--config", str(home), "--socket", str(home / "d"), "--dry-run")
    (home / "banwatch.yaml").write_text(f"metrics: {{port: 0}}\nstore: {home / 'banwatch.db'}\n")
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as dry:
        for line in dry.stderr:
            if "dry run" in line:
                break
        dry.terminate()
    assert (home / "banwatch.db").read_bytes() == before


def test_why_tells_each_line(start, home):
    """From the log that led to the ban, with the kernel's side; later from the history, when the log is gone."""
    daemon = start()
    daemon.write(*["198.51.100.7"] * 3, *["198.51.100.8"] * 2)
    daemon.await_line("Ban 198")
    deadline = time.monotonic() + PATIENCE
    while len(daemon.client("history", "198.51.100.7").stdout.splitlines()) < 1:
        assert time.monotonic() < deadline
    answer = json.loads(daemon.client("why", "198.51.100.7", "--json").stdout)
    assert answer["verdict"] == "banned in sshd"
    [ban] = answer["bans"]
    assert [line["text"] for line in ban["lines"]] == (home / "auth.log").read_text().splitlines()[:3]
    assert 590 <= ban["kernel"]["left"] <= 600
    text = daemon.client("why", "198.51.100.8").stdout
    assert text.splitlines()[0] == "198.51.100.8: not banned: below the limit of sshd, 2 of 3 attempts"
    assert text.count("Failed password for root from 198.51.100.8") == 2
    (home / "auth.log").unlink()
    [ban] = json.loads(daemon.client("why", "198.51.100.7", "--json").stdout)["bans"]
    assert len(ban["lines"]) == 3


def test_a_book_goes_to_another_host(start, home):
    """Exported as JSON or as ipset has it, imported after all was taken away."""
    first = start()
    first.client("ban", "sshd", "203.0.113.9", "2001:db8::/48")
    (home / "json").write_text(first.client("export").stdout)
    (home / "ipset").write_text(first.client("export", "--ipset").stdout)
    for form in ("json", "ipset"):
        first.client("unban", "--all")
        assert first.client("import", str(home / form)).stdout == "2 imported, 0 known already, 0 over by now\n"
        assert set(remembered(first)) == {"203.0.113.9", "2001:db8::/48"}
        assert list(entries()) == ["203.0.113.9"]


def rewrite(home, old, new):
    path = home / "jails.d" / "sshd.yaml"
    path.write_text(path.read_text().replace(old, new))


def configure_journal(home):
    """The jail of sshd may read the journal as well as its log."""
    rewrite(home, "logs:", "journal: ['SYSLOG_IDENTIFIER=sshd _UID=0'], logs:")


@pytest.fixture
def host_journal(tmp_path, journal):
    """The journal of a host of its own, and the command that runs others on that host."""
    machine = Path("/etc/machine-id").read_text().strip() if Path("/etc/machine-id").exists() else ""
    if not machine:
        pytest.skip("no /etc/machine-id")
    journal.path = tmp_path / "var" / "journal" / machine / "system.journal"
    journal.path.parent.mkdir(parents=True)
    hide = f'mkdir -p /run/log && mount -t tmpfs none /run/log && mount --bind {tmp_path}/var /var/log && exec "$@"'
    return journal, ("unshare", "--mount", "sh", "-c", hide, "-")


def failure(address):
    return f"Failed password for root from {address} port 42 ssh2"


def test_the_journal_bans(start, home, host_journal):
    """What journald knows of the writer decides, whatever the entry says; the log beside it is not read."""
    journal, wrap = host_journal
    configure_journal(home)
    journal.write("Server listening on 0.0.0.0 port 22.", failure("198.51.100.5"), **BY_SSHD)
    daemon = start(wrap=wrap)
    daemon.write(*["198.51.100.6"] * 3)
    journal.write(*[failure("198.51.100.7")] * 3, **BY_SSHD | {"_UID": "1000"})
    journal.write(*[failure("198.51.100.8")] * 3, **BY_SSHD)
    daemon.await_line(r"Ban 198\.51\.100\.8$")
    journal.write(*[failure("198.51.100.5")] * 2, **BY_SSHD)
    daemon.await_line(r"Ban 198\.51\.100\.5$")
    assert set(entries()) == {"198.51.100.5", "198.51.100.8"}
    assert daemon.client("why", "198.51.100.8").stdout.count(f"sshd[812]: {failure('198.51.100.8')}") == 3
    status = daemon.client("status", "sshd")
    assert "File list:\tjournal:SYSLOG_IDENTIFIER=sshd+_UID=0\n" in status.stdout
    assert status.stderr == ""


def test_the_first_entry_takes_over(start, home, host_journal):
    """While the journal has nothing of the service its log counts; from the first entry on the journal does."""
    journal, wrap = host_journal
    configure_journal(home)
    daemon = start(wrap=wrap)
    daemon.write(*["198.51.100.6"] * 3)
    daemon.await_line(r"Ban 198\.51\.100\.6$")
    assert f"File list:\t{home}/auth.log\n" in daemon.client("status", "sshd").stdout
    journal.write(*[failure("198.51.100.8")] * 3, **BY_SSHD)
    assert "jails=sshd" in daemon.await_line("the journal is read from now on")
    daemon.await_line(r"Ban 198\.51\.100\.8$")
    assert "File list:\tjournal:SYSLOG_IDENTIFIER=sshd+_UID=0\n" in daemon.client("status", "sshd").stdout
    rewrite(home, "logs:", "source: logs, logs:")
    assert daemon.client("reload").returncode == 0
    assert f"File list:\t{home}/auth.log\n" in daemon.client("status", "sshd").stdout


def test_a_host_without_log_files(start, home, host_journal):
    """As shipped, sshd's jail is off until the journal tells of an sshd, and on then; at the next start it is on at once."""
    journal, wrap = host_journal
    (home / "jails.d" / "sshd.yaml").unlink()
    (home / "banwatch.yaml").write_text("metrics: {port: 0}\n")
    daemon = start(wrap=wrap)
    assert daemon.await_line("protecting this host").count("sshd") == 0
    journal.write("Server listening on 0.0.0.0 port 22.", **BY_SSHD)
    daemon.await_line("jails are on now.*sshd")
    journal.write(*[failure("198.51.100.8")] * 3, **BY_SSHD | {"SYSLOG_IDENTIFIER": "sshd-session"})
    daemon.await_line(r"Ban 198\.51\.100\.8$")
    daemon.client("stop", "--flush")
    assert daemon.wait() == 0
    daemon = start("--state", "none", wrap=wrap)  # which looks back; with the store each entry counts once
    assert "sshd" in daemon.await_line("protecting this host")
    journal.write(*[failure("198.51.100.9")] * 3, **BY_SSHD)
    daemon.await_line(r"Ban 198\.51\.100\.9$")


def test_a_journal_without_rights(start, home, host_journal):
    """The log and `status` say so, with what to do, and the log files are read."""
    journal, wrap = host_journal
    configure_journal(home)
    journal.write("x", **BY_SSHD)
    journal.path.chmod(0o600)
    for directory in (home, *home.parents[:2], journal.path.parents[1], journal.path.parent):
        directory.chmod(0o777)
    daemon = start("--dry-run", wrap=(*wrap, "setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=-all"))
    line = daemon.await_line("the journal is not read: permission denied")
    assert "systemd-journal" in line
    daemon.write(*["198.51.100.6"] * 3)
    daemon.await_line(r"Would ban 198\.51\.100\.6$")
    status = daemon.client("status", "sshd")
    assert f"File list:\t{home}/auth.log\n" in status.stdout
    assert "degraded: the journal is not read: permission denied (add the daemon's user to" in status.stderr


def test_each_entry_counts_once(start, home, host_journal):
    """However the daemon ends, and whether or not it had written down how far it was, the next one goes on there."""
    journal, wrap = host_journal
    configure_journal(home)
    journal.write(*[failure("198.51.100.5")] * 2, **BY_SSHD)
    for number, end in enumerate((signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)):
        daemon = start(wrap=wrap)
        journal.write(*[failure(f"198.51.100.{10 + number}")] * 3, **BY_SSHD)
        daemon.await_line(rf"Ban 198\.51\.100\.{10 + number}$")
        assert "198.51.100.5" not in entries()
        daemon.process.send_signal(end)
        daemon.wait()
    journal.write(failure("198.51.100.5"), **BY_SSHD)
    daemon = start(wrap=wrap)
    daemon.await_line(r"Ban 198\.51\.100\.5$")
    assert daemon.client("why", "198.51.100.5").stdout.count(failure("198.51.100.5")) == 3


def elements():
    """Who is in the sets of the jail sshd, as nft lists them."""
    tables = json.loads(subprocess.run(("nft", "-j", "list", "tables", "inet"), capture_output=True, check=True).stdout)
    if not any("table" in entry for entry in tables["nftables"]):
        return None
    listed = subprocess.run(("nft", "-j", "list", "table", "inet", "banwatch"), capture_output=True, check=True).stdout
    sets = [entry["set"] for entry in json.loads(listed)["nftables"] if "set" in entry]
    found = [each["elem"]["val"] for of in sets if of["name"].startswith("banwatch-sshd-") for each in of.get("elem", ())]
    return sorted(val for val in found if not val.startswith(("255.", "ffff:")))


def test_nftables_from_the_first_ban_to_the_end(start, home):
    """With nftables, too, bans are made, outlive kill -9 and a restart, come back when all is flushed, and go at the end."""
    (home / "banwatch.yaml").write_text("metrics: {port: 0}\nfirewall: {backend: nftables}\n")
    daemon = start()
    assert "firewall=nftables" in daemon.await_line("protecting this host")
    daemon.write(*["198.51.100.7"] * 3, *["2001:db8:bad::1"] * 3)
    daemon.await_line(r"\[sshd\] Ban 2001:db8:bad::/64$")
    assert daemon.client("ban", "sshd", "203.0.113.0/24").returncode == 0
    everybody = ["198.51.100.7", "2001:db8:bad::", "203.0.113.0"]
    assert elements() == everybody
    daemon.process.kill()
    daemon.wait()
    assert elements() == everybody
    daemon = start()
    assert elements() == everybody
    subprocess.run(("nft", "flush", "ruleset"), check=True)
    daemon.await_line("somebody else has changed the firewall, it is repaired")
    daemon.await_line("bans are put back into a set")
    assert daemon.client("unban", "198.51.100.7").returncode == 0
    deadline = time.monotonic() + PATIENCE
    while elements() != everybody[1:]:
        assert time.monotonic() < deadline
    assert daemon.client("stop", "--flush").returncode == 0
    assert daemon.wait() == 0
    assert elements() is None


def test_auto_without_iptables(start):
    """Where there is no iptables it is nftables, and the log says so and why."""
    hide = 'mount --bind /dev/null "$(readlink -f "$(command -v iptables)")"; exec "$@"'
    line = start(wrap=("unshare", "--mount", "sh", "-c", hide, "sh")).await_line("protecting this host")
    assert "firewall=nftables" in line
    assert "no ipset, so it is nftables: iptables and iptables-restore: not found" in line


def test_a_leak_is_told_with_its_reason(start, home):
    """Who is banned for longer and fails all the same is told of once, by log, status and why, with what was found by looking."""
    configure(home)
    daemon = start()
    daemon.client("ban", "sshd", "198.51.100.7", "--for", "1h")
    [ban] = map(json.loads, daemon.client("export").stdout.splitlines())
    daemon.client("unban", "198.51.100.7")
    (home / "bans.json").write_text(json.dumps(ban | {"at": ban["at"] - 60.0}))
    daemon.client("import", str(home / "bans.json"))
    daemon.write("198.51.100.7")
    line = daemon.await_line("leak")
    assert "who=198.51.100.7" in line
    assert "no packets of his were dropped; he may come by another port" in line
    daemon.write("198.51.100.7")
    daemon.write(*["198.51.100.8"] * 3)
    daemon.await_line(r"Ban 198\.51\.100\.8$")
    assert sum("leak" in line for line in daemon.lines) == 1
    status = daemon.client("status", "sshd")
    assert "sshd: leak: 198.51.100.7 is banned and gets through (2 failures): no packets of his were dropped" in status.stderr
    assert "gets through all the same, 2 failures since then: no packets" in daemon.client("why", "198.51.100.7").stdout
