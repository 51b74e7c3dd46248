"""
The first ban, from beginning to end: a real sshd, an attacker, banwatch, and the kernel that keeps the attacker out.

    make demo

All of it happens on a machine within this machine (machine.py): nobody else's network, logs or firewall is touched, and
when the demo ends, or is ended, nothing is left of it.
"""

import signal
import sys

from demo.daemon import Daemon
from demo.machine import ADDRESS4, Machine
from demo.services import SSH, log, missing, ssh, start_rsyslogd, start_sshd

ATTACKER = "198.51.100.7"
NEIGHBOUR = "198.51.100.8"
BANTIME = 15
DROP_IN = f"""\
sshd:
  rules:
    ip: {{limit: 3/10m, bantime: {BANTIME}s}}
"""


def tell(text: str) -> None:
    """A step of the story."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def show(text: str, mark: str = "|") -> None:
    """What some program said, one mark before each line."""
    for line in text.rstrip("\n").splitlines():
        print(f"  {mark} {line}", flush=True)


def run_and_show(machine: Machine, daemon: Daemon, *argv: str) -> None:
    """A command on the machine within, as it is typed there, and its output."""
    show(" ".join(argv), "$")
    done = daemon.client(*argv[1:]) if argv[0] == "banwatch-client" else machine.run(*argv, check=False)
    show(done.stdout + done.stderr)


def show_connection(machine: Machine, source: str) -> None:
    """Whether a stranger gets a connection to port 22 now."""
    show(f"{source} connects to {ADDRESS4}:{SSH} ... {'connected' if machine.connects(source, SSH) else 'no answer'}", ">")


class News:
    """Lines that have come since they were shown last: of auth.log about wrong passwords (|), and of banwatch (*)."""

    def __init__(self, machine: Machine, daemon: Daemon) -> None:
        self._daemon = daemon
        self._heard = 0
        self._log = log(machine, "auth.log").open()
        self._log.seek(0, 2)

    def show(self) -> None:
        """Shows them."""
        show("".join(line for line in self._log if "Failed password" in line))
        lines = self._daemon.lines[self._heard :]
        self._heard += len(lines)
        show("\n".join(lines), "*")


def tell_story(machine: Machine) -> None:
    """The demo, on a machine that is up."""
    tell("1. Debian's rsyslogd and sshd start on it, and banwatch with this file in /etc/banwatch/jails.d:")
    start_rsyslogd(machine)
    start_sshd(machine)
    machine.run("groupadd", "--system", "banwatch")
    machine.write("/etc/banwatch/jails.d/demo.yaml", DROP_IN)
    show(DROP_IN)
    with Daemon(machine) as daemon:
        news = News(machine, daemon)
        daemon.await_line("protecting")
        news.show()
        tell(f"2. {ATTACKER} guesses passwords; these lines appear in auth.log (|), and banwatch says (*):")
        for _ in range(3):
            ssh(machine, ATTACKER, "root", "not the password", until=lambda: daemon.said(f" Ban {ATTACKER}"))
        daemon.await_line(rf"why who={ATTACKER}")
        news.show()

        tell("3. The third was one too many. Who asks is told:")
        run_and_show(machine, daemon, "banwatch-client", "status", "sshd")

        tell("4. The attacker gets no answer any more; the neighbour does:")
        show_connection(machine, ATTACKER)
        show_connection(machine, NEIGHBOUR)

        tell("5. It is the kernel that keeps the attacker out, and that counts the seconds down; it needs no banwatch for it")
        tell("   (255.255.255.255 is nobody: while it is there, the set was not emptied behind banwatch's back):")
        run_and_show(machine, daemon, "ipset", "list", "banwatch-sshd-4")

        tell(f"6. The ban lasts {BANTIME} s; now the rest of it passes:")
        daemon.await_line(f"Unban {ATTACKER}", within=BANTIME + 10)
        news.show()
        show_connection(machine, ATTACKER)

        tell("7. A ban by hand, and its end by hand:")
        run_and_show(machine, daemon, "banwatch-client", "ban", "sshd", ATTACKER, "--for", "1h")
        show_connection(machine, ATTACKER)
        run_and_show(machine, daemon, "banwatch-client", "unban", "sshd", ATTACKER)
        show_connection(machine, ATTACKER)

        tell("That was it; the machine within goes, and with it all that was done.")


def main() -> int:
    """The exit code: 0 when the story was told to its end."""
    if absent := missing("sshd", "rsyslogd", "ssh", "ip", "ipset", "iptables"):
        print(f"make demo: {absent}; as root `make demo` installs and runs everything", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tell("A machine within this machine is made: its own network, processes and files, and strangers around it.")
    try:
        with Machine() as machine:
            tell_story(machine)
    except KeyboardInterrupt:
        tell("Ended early; nothing is left of it.")
        return 130
    except (RuntimeError, TimeoutError) as error:
        print(f"make demo: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
