"""
What stands behind all doors: asks the gate, brings what doors report to the jails, and counts both.

It knows which log tells of the same attempts as a door does, so that each counts once.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Final, Literal

from banwatch.address import canonical_ip
from banwatch.engine import Change, Engine
from banwatch.jail.tally import LONGEST_LOGIN
from banwatch.logins.gate import Action, Verdict, decide
from banwatch.logins.guesses import Guesses
from banwatch.logins.joint import Joint
from banwatch.logins.policy import Attempt
from banwatch.model import SUCCESS, Match

Door = Literal["dovecot", "exim"]
DOORS: Final[tuple[Door, ...]] = ("dovecot", "exim")
HASHED: Final = 128
"""Characters of a password's hash that are looked at; the longest there is, SHA-512 in hexadecimal, has as many."""


class Desk:
    """
    Args:
        engine: gives the engine of now.
        submit: takes changes of the book.
        smtp: the filter that reads the log of the SMTP server that lets Dovecot check passwords.

    Attributes:
        decisions: answers by (door, action).
        reports: attempts that doors told of, by (door, outcome): counted, success, repeated, refused, ignored.
        seconds: time that the answers took, by door.
    """

    def __init__(
        self,
        engine: Callable[[], Engine],
        clock: Callable[[], float],
        submit: Callable[[Sequence[Change]], None],
        smtp: str = "exim4",
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._submit = submit
        self._smtp = smtp
        self._joint = Joint()
        self._guesses = Guesses()
        self.decisions: Counter[tuple[Door, Action]] = Counter()
        self.reports: Counter[tuple[Door, str]] = Counter()
        self.seconds: dict[Door, float] = dict.fromkeys(DOORS, 0.0)

    @property
    def joint(self) -> Joint:
        """What stands between the logs of services with a door and the jails."""
        return self._joint

    def ask(self, door: Door, login: str, ip: str | None, service: str) -> Verdict:
        """
        What becomes of an attempt. One that is refused has been told hereby: what the service's log says of it is no failure.

        Args:
            login: as the service writes it.
        """
        began, now = perf_counter(), self._clock()
        verdict = decide(self._engine(), login[: LONGEST_LOGIN + 1], ip, now)
        if verdict.action == "deny" and ip is not None and (address := canonical_ip(ip)) is not None:
            self._joint.told(self._filter(service), address, now)
        self.decisions[door, verdict.action] += 1
        self.seconds[door] += perf_counter() - began
        return verdict

    def report(self, door: Door, attempt: Attempt) -> None:
        """An attempt was made: count it, or let it forgive, unless the log was the first to tell."""
        self.reports[door, self._report(attempt)] += 1

    def _report(self, attempt: Attempt) -> str:
        if attempt.ours:
            return "refused"  # `ask` has noted it
        if not attempt.success and not attempt.wrong:
            return "ignored"
        now, filter = self._clock(), self._filter(attempt.service)
        login = attempt.login[: LONGEST_LOGIN + 1]
        if not attempt.success:
            first = attempt.ip is None or self._joint.told(filter, attempt.ip, now) == 1
            news = self._guesses.is_news(attempt.ip, login, attempt.pwhash[:HASHED], now)
            if not (first and news):
                return "repeated"
        kind = SUCCESS if attempt.success else "auth"
        line = f"{attempt.service} told of {login!r} from {attempt.ip}"
        match = Match(0, filter, kind, now, attempt.ip, login, 1, 0, False, None, line, 0, {})
        self._submit(self._engine().report(match, now))
        return "success" if attempt.success else "counted"

    def _filter(self, service: str) -> str:
        """Which log tells of attempts at `service` too; Dovecot's own, if it is none that others have behind them."""
        if service == "exim":
            return "exim4"
        return self._smtp if service == "smtp" else "dovecot"
