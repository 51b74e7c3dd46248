"""lanes.py: what a source is scanned with, and what lives on over a reload."""

from banwatch.config.model import Config, DaemonSpec, FilterSpec, JailSpec, Limit, Rule, Watch
from banwatch.filter.match import compile_filter
from banwatch.jail.ignoreip import Guard
from banwatch.jail.jail import Jail
from banwatch.lanes import Lanes, Scanned, compile_scanners
from banwatch.model import Chunk, Position

RULE = Rule("ip", frozenset({"auth"}), "ip", Limit(3, 600.0), 1800.0)
FILTER = FilterSpec(name="sshd", header=("none",), failregex={"auth": ("^Failed from <HOST>$",)})
COMPILED = {"sshd": compile_filter(FILTER)}
AUTH, OTHER = frozenset({"/auth.log"}), frozenset({"/other.log"})


def config(*names, compiled=COMPILED, logs=("/auth.log",)):
    jails = {name: JailSpec(name, watch=(Watch("sshd", logs=logs),), rules=(RULE,)) for name in names}
    return Config(DaemonSpec(), jails, {"sshd": FILTER}, compiled=compiled)


def lanes(config, older=None, scanners=None):
    return Lanes(config, {name: Jail(spec, Guard(())) for name, spec in config.jails.items()}, older, scanners)


def scan(lane, lines):
    data = b"Failed from 192.0.2.7\n" * lines
    return list(lane.scanner.scan(Chunk("/log", data, 0, Position(1, 2, len(data)), True, 0.0), 0.0))


def test_jails_that_see_a_source_alike_stand_behind_one_lens():
    """Forty jails on one log cost one scan."""
    lane = lanes(config("one", "two")).of(AUTH)
    assert [jail.spec.name for jail in lane.jails[0]] == ["one", "two"]
    assert (lane.names, lane.once, lane.watching) == (("sshd",), (None,), frozenset({"one", "two"}))
    assert lanes(config("one")).of(OTHER).watching == frozenset()


def test_sources_that_are_scanned_for_the_same_share_a_scanner():
    """A thousand logs of one service need no thousand databases."""
    made = lanes(config("one", logs=("/auth.log", "/other.log")))
    assert made.of(AUTH).scanner is made.of(OTHER).scanner is made.of(AUTH | OTHER).scanner


def test_a_reload_compiles_nothing_anew():
    """As long as filter, zone and encoding are the same the scanner goes on, whatever becomes of the jails; counts go on too."""
    first = lanes(config("one"))
    scan(first.of(AUTH), 3)
    second = lanes(config("one", "two"), first)
    assert second.of(AUTH).scanner is first.of(AUTH).scanner
    scan(second.of(AUTH), 2)
    assert second.scanned() == Scanned(5, 5, 5)


def test_what_nobody_uses_any_more_is_let_go():
    """A filter that changed is compiled anew; what the old scanner counted stays counted."""
    first = lanes(config("one"))
    scan(first.of(AUTH), 3)
    second = lanes(config("one", compiled={"sshd": compile_filter(FILTER)}), first)
    assert second.of(AUTH).scanner is not first.of(AUTH).scanner
    scan(second.of(AUTH), 1)
    assert second.scanned() == Scanned(4, 4, 4)
    assert len(second.known()[1]) == 1


def test_compiled_beforehand():
    """What is compiled in another thread is used by the lanes that come after it, and is ready for the first line."""
    old = lanes(config("one"))
    old.of(AUTH)
    assert not old.is_ready(AUTH)
    scanners = compile_scanners(config("one"), {AUTH, OTHER}, old.known()[1])
    old.take(scanners)
    assert old.is_ready(AUTH)
    assert old.of(OTHER).watching == frozenset()
    assert old.is_ready(OTHER)  # nothing is looked for there
    changed = config("one", compiled={"sshd": compile_filter(FILTER)})
    fresh = compile_scanners(changed, *old.known())
    new = lanes(changed, old, fresh)
    assert new.is_ready(AUTH)
    assert new.of(AUTH).scanner in fresh.values()
