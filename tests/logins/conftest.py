"""An engine with one mail jail, and a desk before it."""

import pytest

from banwatch.config.model import AlarmSpec, Config, DaemonSpec, JailSpec, Limit, Rule, Watch
from banwatch.engine import Engine
from banwatch.jail.known import DAY
from banwatch.login import Naming
from banwatch.logins.desk import Desk
from banwatch.model import Ban, Target

NOW = 20_000 * DAY
HOME = "203.0.113.7"
NAMING = Naming("example.org")
AUTH = frozenset({"auth"})
MAIL = JailSpec(
    "mail",
    watch=(Watch("dovecot"), Watch("exim4")),
    rules=(Rule("ip", AUTH, "ip", Limit(5, 600.0), 3600.0), Rule("login", AUTH, "login", Limit(5, 600.0), 3600.0)),
    naming=NAMING,
    alarm=AlarmSpec(Limit(9, 3600.0)),
)


class House:
    """An engine, a desk, and what changed."""

    def __init__(self):
        self.now = NOW
        self.engine = Engine(Config(DaemonSpec(), {jail.name: jail for jail in (JailSpec("manual", naming=NAMING), MAIL)}, {}))
        self.changes = []
        self.desk = Desk(lambda: self.engine, lambda: self.now, self.changes.extend)
        for day in (1, 2):
            self.engine.jails["mail"].known.note(HOME, "bob@example.org", NOW - day * DAY)

    def ban(self, login, until=NOW + 3600.0, jail="manual", **changes):
        return self.engine.ban([Ban(jail, Target("login", login), "login", NOW, until, **changes)])

    def counted(self, login="alice@example.org"):
        """How many attempts count for a login."""
        return len(self.engine.jails["mail"].window("login").attempts(login))


@pytest.fixture
def house():
    return House()
