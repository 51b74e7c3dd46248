"""store/database.py: what is written comes back."""

import sqlite3

import pytest
from tests.store.conftest import NOW, ban, batch, delta

from banwatch.errors import StoreError
from banwatch.model import Target
from banwatch.store.database import DAY, PRUNED, Bounds, Database
from banwatch.store.values import Event, Line, Saved


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "banwatch.db"


@pytest.fixture
def opened(path):
    """Opens the database, and closes it when the test is over."""
    databases = []

    def open_again(**options):
        databases.append(Database.open(path, **options))
        return databases[-1]

    yield open_again
    for database in databases:
        database.close()


def test_a_new_one_is_empty(opened):
    """The first start finds nothing, and that is no error."""
    assert opened().load() == Saved()


def test_what_is_written_comes_back(opened):
    """Book, windows and positions, by whoever opens it next, though the first one never closed it."""
    bans = [
        ban("192.0.2.7"),
        ban("2001:db8::/64", None),
        ban("bob", realm="login", enforce=False),
        ban("192.0.2.7", jail="allow"),
    ]
    window = delta(("192.0.2.9", (NOW, "root")))
    opened().write(batch(bans=bans, windows=[window], positions={"/var/log/auth.log": "[1, 2, 3]"}))
    saved = opened().load()
    assert sorted(saved.bans) == sorted(bans)
    assert saved.windows == {("sshd", "ip"): ("auth by ip", {"192.0.2.9": (NOW, "root")})}
    assert saved.positions == {"/var/log/auth.log": "[1, 2, 3]"}
    assert saved.at == NOW


def test_a_path_that_is_no_text(opened):
    """File names are bytes; one that is not UTF-8 costs nobody his bans."""
    database = opened()
    database.write(batch(bans=[ban()], positions={"/var/log/\udcff.log": "1"}))
    assert database.load().positions == {"/var/log/\\udcff.log": "1"}


def test_changes_add_up(opened):
    """A batch says what changed; a later one about the same ban replaces it."""
    database = opened()
    database.write(batch(bans=[ban("192.0.2.7"), ban("192.0.2.8")], positions={"/a": "1", "/b": "1"}))
    gone = [("sshd", Target("net", "192.0.2.8")), ("sshd", Target("net", "192.0.2.99"))]
    database.write(batch(bans=[ban("192.0.2.7", until=None)], gone=gone, positions={"/a": "2"}))
    saved = database.load()
    assert saved.bans == [ban("192.0.2.7", until=None)]
    assert saved.positions == {"/a": "2", "/b": "1"}


def test_a_whole_batch_replaces_all_but_the_history(opened):
    """What was missed while nothing could be written does not stay."""
    database = opened()
    event = Event(NOW, "ban", ban(), "3 attempts in 600 s")
    database.write(batch(bans=[ban()], events=[event], windows=[delta(("a", (1.0, None)))], positions={"/a": "1"}))
    database.write(batch(bans=[ban("192.0.2.8")], positions={"/b": "1"}, whole=True))
    saved = database.load()
    assert (saved.bans, saved.windows, saved.positions) == ([ban("192.0.2.8")], {}, {"/b": "1"})
    assert database.history(None, 0.0, 10) == [event]


def test_a_batch_is_all_or_nothing(opened):
    """A transaction that fails in its last part leaves nothing of the first."""
    database = opened()
    with pytest.raises(sqlite3.Error):
        database._connection.execute("CREATE TRIGGER no BEFORE INSERT ON meta BEGIN SELECT nothing(); END")
    database._connection.execute("CREATE TRIGGER no BEFORE INSERT ON history BEGIN SELECT raise(ABORT, 'no'); END")
    with pytest.raises(StoreError, match=r"banwatch\.db cannot be written: no$"):
        database.write(batch(bans=[ban()], events=[Event(NOW, "ban", ban(), "")], positions={"/a": "1"}))
    assert opened().load() == Saved()


def test_the_history_of_somebody(opened):
    """By realm and name, since a time, oldest first, the newest of too many."""
    database = opened()
    events = [Event(NOW + number, "ban", ban(f"192.0.2.{number % 2}"), "") for number in range(6)]
    events.append(Event(NOW, "ban", ban("192.0.2.1", realm="login"), ""))
    database.write(batch(events=events))
    assert database.history([("net", "192.0.2.1")], 0.0, 10) == [events[1], events[3], events[5]]
    assert database.history([("net", "192.0.2.1"), ("net", "192.0.2.0")], NOW + 3, 10) == events[3:6]
    assert database.history(None, 0.0, 2) == events[5:]
    assert database.history([], 0.0, 10) == []


def test_evidence_is_found_after_it_is_written(opened):
    """Clues become lines, all at once, when everything else is safe; lines stay what they are."""
    line, other = Line("/var/log/auth.log", 77, NOW, "Failed password"), Line("/x", 0, NOW, None)
    events = [Event(NOW, "ban", ban(), "", clue=clue) for clue in ("one", None, "two")]
    asked = []
    database = opened()
    missing = database.write(batch(events=[*events, Event(NOW, "ban", ban(), "", (other,))]))
    assert [event.evidence for event in database.history(None, 0.0, 10)] == [(), (), (), (other,)]
    database.fill(missing, lambda clues: asked.append(clues) or [(line,), ()])
    assert asked == [["one", "two"]]
    assert [event.evidence for event in database.history(None, 0.0, 10)] == [(line,), (), (), (other,)]


def test_evidence_of_another_database_is_left_out(opened):
    """A new database has the same numbers for other events."""
    database = opened()
    [missing] = database.write(batch(events=[Event(NOW, "ban", ban(), "", clue="one")]))
    database.fill([missing._replace(file=(0, 0))], lambda clues: [(Line("/x", 0, NOW, None),)] * len(clues))
    assert [event.evidence for event in database.history(None, 0.0, 10)] == [()]


def test_the_history_ends_with_age(opened):
    """Thirty days, a piece with each transaction."""
    database = opened()
    old = [Event(NOW - 31 * DAY, "ban", ban(), "")] * (PRUNED + 1)
    database.write(batch(at=NOW - 31 * DAY, events=[*old, Event(NOW - 29 * DAY, "ban", ban(), "")]))
    assert len(database.history(None, 0.0, 10_000)) == PRUNED + 2
    database.write(batch())
    assert len(database.history(None, 0.0, 10_000)) == 2
    database.write(batch())
    assert [event.at for event in database.history(None, 0.0, 10)] == [NOW - 29 * DAY]


def test_the_history_ends_with_number(opened):
    """A flood of bans does not fill the disk, and what it took is given back."""
    database = opened(bounds=Bounds(rows=100))
    why = "x" * 4000
    for number in range(5):
        database.write(batch(events=[Event(NOW + number, "ban", ban(why=why), "")] * 100))
    assert [event.at for event in database.history(None, 0.0, 1000)] == [NOW + 4] * 100
    assert database._connection.execute("PRAGMA page_count").fetchone()[0] < 300


def test_a_durable_write_asks_for_the_disk(opened):
    """Each write says anew how sure it has to be."""
    database = opened()
    levels = []
    for durable in (True, False):
        database.write(batch(), durable)
        levels.append(database._connection.execute("PRAGMA synchronous").fetchone()[0])
    assert levels == [2, 1]


def test_nobody_else_may_read_it(opened, path):
    """Logins and addresses of others are in it; a file that was open to all is closed."""
    opened()
    assert [path.with_name(f"banwatch.db{suffix}").stat().st_mode & 0o777 for suffix in ("", "-wal", "-shm")] == [0o600] * 3
    path.chmod(0o644)
    opened()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("spoil", "what"), [(lambda path: path.unlink(), "removed"), (lambda path: path.rename(path.with_name("x")), "removed")]
)
def test_a_file_that_went_away(opened, path, spoil, what):
    """What is written into a file without a name would be lost."""
    database = opened()
    spoil(path)
    with pytest.raises(StoreError, match=f"banwatch.db was {what}$"):
        database.write(batch())
    path.touch()
    with pytest.raises(StoreError, match=r"banwatch\.db was replaced$"):
        database.write(batch())


def test_nonsense_in_a_whole_file_is_damage(opened):
    """SQLite is content with it; we are not."""
    database = opened()
    database.write(batch(windows=[delta(("a", (1.0, None)))], bans=[ban()]))
    database._connection.execute("UPDATE windows SET records = '[[[['")
    with pytest.raises(StoreError, match="holds what banwatch never wrote") as caught:
        database.load()
    assert caught.value.damaged


def test_one_that_can_only_be_read(opened, path):
    """As it is after a clean end, and beside a journal."""
    database = opened()
    database.write(batch(bans=[ban()]))
    beside = Database.open_to_read(path)
    assert beside.load().bans == [ban()]
    beside.close()
    database.close()
    alone = Database.open_to_read(path)
    assert alone.load().bans == [ban()]
    alone.close()
