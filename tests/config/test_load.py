"""The whole configuration of a host: what runs, what is left out, and everything that is wrong."""

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from banwatch.config import load
from banwatch.config.check import check_config
from banwatch.config.load import load_config
from banwatch.config.model import Config, DaemonSpec, Limit, Mark
from banwatch.config.problem import render_problem
from banwatch.config.schema import DAEMON, FILTER, JAIL, RULE, WATCH
from banwatch.errors import ConfigError


def test_nothing_but_what_is_shipped(directories):
    """Without any file of the operator's the shipped jails run."""
    config = directories.load()
    assert (list(config.jails), list(config.filters), config.daemon) == (["svc"], ["svc"], DaemonSpec())
    assert (config.problems, config.broken, config.unusable) == ((), (), None)
    assert config.jails["svc"].rules[0].limit == Limit(3, 600)


def test_a_drop_in_changes_one_key(directories):
    """A key of a rule of a shipped jail is changed, the others stay."""
    directories.write("jails.d/mine.yaml", "svc: {rules: {ip: {limit: 9/1h}}}")
    jail = directories.load().jails["svc"]
    assert (jail.rules[0].limit, jail.rules[0].bantime, jail.ports) == ((9, 3600), 1800, ((22, 22),))
    assert jail.marks["rules.ip.limit"] == Mark("jails.d/mine.yaml", 1)
    assert jail.marks["ports"].file.endswith("/shipped/jails/svc.yaml")


def test_a_drop_in_deletes(directories):
    """null takes a jail away; said by accident, it is told."""
    directories.write("jails.d/mine.yaml", "other: {ports: [1]}\nsvc: null\n")
    assert (list(directories.load().jails), directories.says()) == (["other"], [])
    empty = "deletes what earlier files set, because nothing stands behind it; write null to mean that"
    assert directories.says("jails.d/mine.yaml", "other: {ports: [1]}\nsvc:\nmore: ~\n") == [
        f"jails.d/mine.yaml:2: warning: svc: {empty}",
        "jails.d/mine.yaml:3: warning: more: deletes nothing: no earlier file has it",
    ]


def test_a_filter_of_the_operators_own(directories):
    """A filter that is named by its file serves a jail that watches it."""
    directories.write("filters.d/own.yaml", "failregex: {spam: ['^spam <HOST>$']}")
    directories.write(
        "jails.d/own.yaml",
        "own: {watch: {own: {logs: [/x]}}, rules: {a: {count: [spam], by: net, limit: 1/1m}}}",
    )
    config = directories.load()
    assert (config.problems, config.jails["own"].watch[0].filter) == ((), "own")


def test_every_problem_at_once(directories):
    """All files are read to their end, and all problems come sorted by file, line and key."""
    directories.write("banwatch.yaml", "log:\n  format: xml\nsshd: {}\n")
    directories.write("jails.d/a.yaml", "svc:\n  ports: [0]\n  rules:\n    ip:\n      bantime: ten minutes\n      limits: 3\n")
    directories.write("jails.d/b.yaml", "b: [\n")
    directories.write("filters.d/f.yaml", "failregex:\n  auth:\n  - '^(a <HOST>$'\n")
    port = 'a port like "22", "1000-2000" or "ssh" within 1-65535, the lower end first'
    assert directories.says() == [
        'banwatch.yaml:2: log.format: expected text or json, got "xml"',
        "banwatch.yaml:3: sshd: unknown key; expected defaults, log, metrics, control, firewall, doors or store",
        *(said for said in directories.says() if said.startswith("filters.d/f.yaml:3: failregex.auth[0]: expected ")),
        "jails.d: no jail remains",
        f'jails.d/a.yaml:2: svc.ports[0]: expected {port}, got "0"',
        'jails.d/a.yaml:5: svc.rules.ip.bantime: expected a duration like "10m" or "forever", got "ten minutes"',
        "jails.d/a.yaml:6: svc.rules.ip.limits: unknown key; did you mean limit?",
        "jails.d/b.yaml:2: not YAML: did not find expected node content",
    ]


def test_a_broken_jail_is_left_out(directories):
    """The others go on."""
    directories.write("jails.d/mine.yaml", "other: {ports: [1]}\nsvc: {ports: [x y]}\n")
    config = directories.load()
    assert (list(config.jails), config.broken, config.unusable) == (["other"], ("svc",), None)
    assert config.broken_by == {"svc": config.problems}
    assert config.problems_of("svc") == config.problems
    assert config.problems_of("other") == ()


def test_a_broken_filter_breaks_its_jails(directories):
    """A jail that watches a filter with problems is left out because of them."""
    directories.write("filters.d/svc.yaml", "failregex:\n  auth:\n  - '(x <HOST>'\n")
    directories.write("jails.d/mine.yaml", "other: {ports: [1]}\noff: {enabled: false, watch: {svc: {logs: [/x]}}}\n")
    config = directories.load()
    assert (list(config.jails), config.broken, dict(config.filters)) == (["other"], ("svc",), {})
    (problem,) = [problem for problem in config.problems if not problem.warning]
    assert problem[:3] == ("filters.d/svc.yaml", 3, "failregex.auth[0]")
    assert (problem.got, problem.filter, config.broken_by["svc"]) == ("(x <HOST>", "svc", (problem,))


def test_a_filter_file_that_is_no_yaml(directories):
    """It breaks the shipped filter of that name, hence its jails."""
    directories.write("filters.d/svc.yaml", "a: b: c\n")
    config = directories.load()
    assert (config.broken, config.filters, config.unusable) == (("svc",), {}, "no jail remains")


def test_a_jail_file_that_is_no_yaml(directories):
    """The jails it names are broken, be they shipped or not."""
    directories.write("jails.d/x.yaml", "svc: {enforce: false}\nmine:\n  ports: [\n")
    assert directories.load().broken == ("mine", "svc")


def test_enabled(directories):
    """A jail that is off is not there; it is not broken either."""
    directories.write("jails.d/x.yaml", "svc: {enabled: false}\nother: {ports: [1]}\n")
    config = directories.load()
    assert (list(config.jails), config.broken) == (["other"], ())


def test_a_jail_replaces_others(directories):
    """A jail that is enabled takes the place of those that count the same; one that is off, or broken, does not."""
    whole = "watch: {svc: {logs: [/x]}}, rules: {ip: {count: [auth], by: ip, limit: 3/10m}}, replaces: [svc, all]"
    directories.write("jails.d/all.yaml", f"all: {{enabled: true, {whole}}}")
    assert list(directories.load().jails) == ["all"]
    assert list(load_config(directories.etc, directories.shipped, wanted=("svc",)).jails) == ["svc", "all"]
    directories.write("jails.d/more.yaml", "more: {enabled: true, ports: [1], replaces: [all]}")
    assert list(directories.load().jails) == ["svc", "more"]
    directories.write("jails.d/more.yaml", "all: {enabled: false}")
    assert list(directories.load().jails) == ["svc"]
    directories.write("jails.d/more.yaml", "all: {ports: [0]}")
    assert list(directories.load().jails) == ["svc"]


def test_wanted(directories):
    """A jail that is off is there for whoever asks for it by name; its filter's problems are its own then."""
    directories.write("jails.d/x.yaml", "svc: {enabled: false}\nother: {ports: [1]}\n")
    config = load_config(directories.etc, directories.shipped, wanted=("svc", "nobody"))
    assert (list(config.jails), config.jails["svc"].enabled) == (["svc", "other"], "false")
    directories.write("filters.d/svc.yaml", "failregex:\n  auth:\n  - '(x <HOST>'\n")
    assert load_config(directories.etc, directories.shipped, wanted=("svc",)).broken == ("svc",)
    assert directories.load().broken == ()


@pytest.mark.parametrize("content", ["svc: {enabled: no}", "svc: ~", "svc: {ports: []}"])
def test_no_jail_remains(directories, content):
    """With nothing to run the configuration is unusable, for whatever reason."""
    directories.write("jails.d/x.yaml", content)
    config = directories.load()
    assert (config.jails, config.unusable) == ({}, "no jail remains")
    assert "jails.d: no jail remains" in directories.says()


@pytest.mark.parametrize(
    "content", ["log: [", "logs: {}", "metrics: {port: x}", b"\xff", "log: {to: stderr, to: journal}", "- x"]
)
def test_the_daemons_own_file(directories, content):
    """Any problem in banwatch.yaml makes the configuration unusable; jails are read all the same."""
    directories.write("banwatch.yaml", content)
    config = directories.load()
    assert (list(config.jails), config.unusable, len(config.problems)) == (["svc"], "banwatch.yaml cannot be used", 1)
    assert config.problems[0][0] == "banwatch.yaml"


def test_defaults(directories):
    """What banwatch.yaml says holds where jails say nothing; who is ignored there is kept apart."""
    directories.write("banwatch.yaml", "defaults: {bantime: 1h, limit: 2/1m, ignoreip: [192.0.2.7]}")
    directories.write(
        "jails.d/x.yaml",
        "svc: {rules: {ip: {limit: null, bantime: null}}, ignoreip: [192.0.2.8]}",
    )
    config = directories.load()
    jail = config.jails["svc"]
    assert (jail.rules[0].limit, jail.rules[0].bantime, jail.bantime) == ((2, 60), 3600, 3600)
    assert (config.daemon.ignoreip, jail.ignoreip) == (("192.0.2.7",), ("192.0.2.8",))


def test_one_set_for_two_jails(directories):
    """Two jails with one set would end each other's bans."""
    text = "a: {set: mine}\nb: {set: mine}\nc: {set: banwatch-svc}\n"
    assert directories.says("jails.d/x.yaml", text) == [
        'jails.d/x.yaml:2: b.set: expected a set that no other jail has (a has this one), got "mine"',
        'jails.d/x.yaml:3: c.set: expected a set that no other jail has (svc has this one), got "banwatch-svc"',
    ]
    assert directories.load().broken == ("b", "c")


def test_absent_directory(tmp_path, directories, monkeypatch):
    """The default directory may be absent; one that somebody named may not."""
    config = load_config(tmp_path / "typo", directories.shipped)
    assert (config.unusable, config.problems[0].expected) == (f"{tmp_path}/typo cannot be used", "a directory")
    monkeypatch.setattr(load, "DIRECTORY", tmp_path / "typo")
    assert load_config(tmp_path / "typo", directories.shipped).problems == ()


def test_a_file_for_a_directory(tmp_path, directories):
    """What is no directory cannot be one."""
    (tmp_path / "x").touch()
    config = load_config(tmp_path / "x", directories.shipped)
    assert config.unusable == f"{tmp_path}/x cannot be used"
    assert {problem.got for problem in config.problems} == {"Not a directory", "Not a directory (errno 20)"}


def test_unreadable_files(directories):
    """What the system refuses is told with its errno, for each file, and the rest goes on."""
    for name in ("banwatch.yaml", "jails.d/own.yaml"):
        (directories.etc / name).symlink_to(directories.etc / name)
    loop = "Too many levels of symbolic links (errno 40)"
    assert directories.says() == [
        f'banwatch.yaml: expected a readable file, got "{loop}"',
        f'jails.d/own.yaml: expected a readable file, got "{loop}"',
    ]
    assert list(directories.load().jails) == ["svc"]


def test_filters_are_compiled_once(directories):
    """What load compiled is there for use, and a reload compiles only filters that are not as they were."""
    first = directories.load()
    used = first.compiled["svc"]
    directories.write("jails.d/x.yaml", "svc: {enforce: false}")
    second = load_config(directories.etc, directories.shipped, first)
    assert second.jails["svc"].enforce is False
    assert second.compiled["svc"] is used
    directories.write("filters.d/svc.yaml", "ignoreregex: ['^x$']")
    third = load_config(directories.etc, directories.shipped, second)
    assert third.compiled["svc"] is not first.compiled["svc"]
    assert len(third.compiled["svc"].ignore) == 1


def test_strays(directories):
    """What is never read is told, and stops nothing."""
    directories.write("jail.yml", "")
    directories.write("jails.d/jail.yml", "")
    assert directories.says() == [
        "jail.yml: warning: never read; did you mean jails.d/ or filters.d/?",
        "jails.d/jail.yml: warning: never read; expected a name that ends in .yaml",
    ]
    assert directories.load().unusable is None


def test_marks_are_all_that_remains(directories):
    """The configuration is made of plain values: nothing of YAML is kept alive."""
    config = directories.load()
    seen, queue = set(), [config]
    while queue:
        value = queue.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        assert type(value).__module__.partition(".")[0] != "yaml"
        assert type(value).__module__ != "banwatch.config.tree"
        if isinstance(value, dict):
            queue += [*value, *value.values()]
        elif isinstance(value, list | tuple | frozenset):
            queue += value
        elif hasattr(value, "__slots__") and type(value).__module__.startswith("banwatch"):
            queue += [getattr(value, name) for name in value.__slots__]
    assert len(seen) > 20


def test_config_error_is_no_surprise():
    """Loading does not raise what it finds; a ConfigError is for those who cannot go on."""
    assert issubclass(ConfigError, Exception)
    assert Config(DaemonSpec(), {}, {}).unusable is None


words = st.sampled_from(
    [
        *JAIL.keys,
        *RULE.keys,
        *WATCH.keys,
        *FILTER.keys,
        *DAEMON.keys,
        "svc",
        "auth",
        "auto",
        "3/10m",
        "forever",
        "22",
        "all",
        "no",
        "net",
    ]
)
texts = words | st.text(max_size=10)
values = st.recursive(texts | st.none(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=4))
files = st.dictionaries(texts, values, max_size=4).map(
    lambda tree: yaml.safe_dump(tree, allow_unicode=True).encode()
) | st.binary(max_size=50)


@given(daemon=files, filter_=files, jail=files)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_in_a_file_makes_loading_fail(directories, daemon, filter_, jail):
    """Whatever stands in the files, there is a Config, and whatever is left out has a problem that says why."""
    directories.write("banwatch.yaml", daemon)
    directories.write("filters.d/svc.yaml", filter_)
    directories.write("jails.d/svc.yaml", jail)
    config = directories.load()
    assert (config.unusable is None) == (
        bool(config.jails) and not any(p.file == "banwatch.yaml" and not p.warning for p in config.problems)
    )
    for name in config.broken:
        assert name not in config.jails
        assert config.problems_of(name)
    assert set(config.broken_by) == set(config.broken)
    for problem in config.problems:
        assert "\n" not in render_problem(problem)
    check_config(config, 0.0, frozenset())
