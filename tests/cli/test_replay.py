"""cli/replay.py: what would have been banned, and when."""

import gc
import json
import sys

import pytest

from banwatch.cli import progress
from banwatch.cli.main import main
from banwatch.cli.replay import _render_json, describe
from banwatch.model import Ban, Target, Unban

JAILS = """\
sshd:
  enabled: true
  watch: {{sshd: {{logs: [{path}]}}}}
  rules: {{ip: {{limit: 3/10m, bantime: 1m}}}}
"""


def line(second, ip, user="root"):
    minute, second = divmod(second, 60)
    return f"2026-11-20T10:{minute:02}:{second:02}+00:00 mx sshd[7]: Failed password for {user} from {ip} port 4242 ssh2\n"


@pytest.fixture
def replay(tmp_path, capsys):
    (tmp_path / "jails.d").mkdir()
    (tmp_path / "jails.d" / "sshd.yaml").write_text(JAILS.format(path=tmp_path / "nowhere"))

    def run(*words, logs):
        paths = []
        for name, text in logs.items():
            path = tmp_path / name
            path.write_text(text)
            paths.append(str(path))
        code = main(["replay", "--config", str(tmp_path), *map(str, words), *paths])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


START = 1795168800.0


def test_bans_and_unbans_in_the_order_of_time(replay):
    """One object each, with all that the decision was made of."""
    log = "".join(line(second, "192.0.2.7") for second in (0, 1, 2, 100)) + line(101, "192.0.2.8")
    code, out, _ = replay("--jail", "sshd", "--json", logs={"auth.log": log})
    ban, unban = map(json.loads, out.splitlines())
    assert code == 0
    assert ban == {
        "at": START + 2, "jail": "sshd", "action": "ban", "by": "ip", "who": "192.0.2.7",
        "until": START + 62, "failures": 3, "rule": "ip",
    }  # fmt: skip
    assert (unban["action"], unban["at"], unban["who"]) == ("unban", START + 100, "192.0.2.7")


def test_files_are_taken_by_their_first_date(replay):
    """However they are named on the command line, the older log is read first."""
    logs = {"auth.log": line(2, "192.0.2.7"), "auth.log.1": line(0, "192.0.2.7") + line(1, "192.0.2.7")}
    code, out, _ = replay("--json", logs=logs)
    assert code == 0
    assert json.loads(out)["at"] == START + 2


def accepted(second, ip, user="root"):
    return line(second, ip, user).replace("Failed", "Accepted")


ATTACK = "".join(line(second, "192.0.2.7") for second in range(3))


def test_text_ends_with_a_summary(replay):
    """For people: date, jail, who, how long, why; then tables, and the sums."""
    code, out, _ = replay("--jail", "sshd", logs={"auth.log": ATTACK + accepted(5, "192.0.2.7", "bob")})
    lines = out.splitlines()
    assert lines[0].endswith("[sshd] Ban 192.0.2.7 for 1m: 3 attempts in 600 s")
    assert lines[1:3] == ["", "jail  bans  keys  failures  first failure to ban: p50  p90"]
    assert lines[3].split() == ["sshd", "1", "1", "3", "2s", "2s"]
    assert lines[6].split() == ["192.0.2.7", "3"]
    assert lines[9].split() == ["'root'", "3"]
    assert lines[11] == "1 banned key had a success later, 1 of them during the ban:"
    assert (code, lines[-1]) == (0, "4 lines, 3 failures, 1 ban")


def test_the_summary_as_json(replay):
    """Asked for, it is the last object; bans look as they do without it."""
    log = ATTACK + accepted(5, "192.0.2.7", "bob")
    code, out, _ = replay("--jail", "sshd", "--json", "--summary", logs={"auth.log": log})
    ban, last = map(json.loads, out.splitlines())
    assert code == 0
    assert json.loads(replay("--jail", "sshd", "--json", logs={"auth.log": log})[1]) == ban
    assert last == {
        "summary": {
            "lines": 4,
            "failures": 3,
            "bans": 1,
            "unbans": 0,
            "jails": {"sshd": {"bans": 1, "keys": 1, "failures": 3, "time_to_ban": {"p50": 2.0, "p90": 2.0}}},
            "addresses": [{"ip": "192.0.2.7", "failures": 3}],
            "logins": [{"login": "root", "failures": 3}],
            "time_to_ban": {"p50": 2.0, "p90": 2.0},
            "collateral": [
                {
                    "jail": "sshd", "by": "ip", "who": "192.0.2.7", "at": START + 2, "until": START + 62,
                    "success": START + 5, "login": "bob", "during": True,
                }
            ],
        }
    }  # fmt: skip


def test_logs_of_the_same_days_side_by_side(replay):
    """What happens in two logs comes in the order of time, and failures in both count together."""
    logs = {
        "auth.log": "".join(
            line(second, f"192.0.2.{second // 100}") for base in range(0, 3000, 100) for second in range(base, base + 3)
        ),
        "other.log": "".join(
            line(second, f"192.0.3.{second // 100}") for base in range(50, 3000, 100) for second in range(base, base + 3)
        ),
        "third.log": line(50, "192.0.2.0") + line(1000, "192.0.4.1") * 3,
    }
    code, out, _ = replay("--jail", "sshd", "--json", logs=logs)
    changes = [json.loads(each) for each in out.splitlines()]
    ats = [change["at"] for change in changes]
    assert (code, ats) == (0, sorted(ats))
    assert sum(change["action"] == "ban" for change in changes) == 61


def test_a_jail_that_is_off(replay, tmp_path):
    """It can be tried before it is switched on; broken it cannot."""
    off = JAILS.replace("enabled: true", "enabled: false").format(path="/x")
    (tmp_path / "jails.d" / "sshd.yaml").write_text(off)
    assert replay("--jail", "sshd", "--json", logs={"auth.log": ATTACK})[0] == 0
    assert replay("--json", logs={"auth.log": ATTACK})[0] == 1
    (tmp_path / "jails.d" / "sshd.yaml").write_text(off.replace("3/10m", "often"))
    code, _, err = replay("--jail", "sshd", "--json", logs={"auth.log": ATTACK})
    assert (code, json.loads(err)["error"]) == (78, "the jail sshd has problems")
    assert [problem["key"] for problem in json.loads(err)["problems"]] == ["sshd.rules.ip.limit"]


@pytest.fixture
def other(tmp_path):
    """A second configuration, with another limit."""
    (tmp_path / "other/jails.d").mkdir(parents=True)
    text = JAILS.format(path="/x").replace("3/10m", "5/10m").replace("bantime: 1m", "bantime: 1h")
    (tmp_path / "other/jails.d/sshd.yaml").write_text(text)
    return tmp_path / "other"


def test_compare(replay, other):
    """A line for each key that is not banned alike, and both sides in numbers."""
    log = ATTACK + "".join(line(second, "192.0.2.8") for second in range(10, 16))
    code, out, _ = replay("--jail", "sshd", "--compare", other, logs={"auth.log": log})
    lines = out.splitlines()
    assert code == 0
    assert [text[20:] for text in lines[:2]] == ["[sshd] gone: 192.0.2.7: 3 attempts in 600 s", "[sshd] later: 192.0.2.8: by 2s"]
    assert lines[3].split() == [str(other.parent), str(other)]
    assert lines[4].split() == ["bans", "2", "1"]
    assert lines[-1] == f"9 lines; under {other}: 1 gone, 0 new, 0 earlier, 1 later"


def test_compare_as_json(replay, other):
    """One object a difference, and the summary if asked for."""
    logs = {"auth.log": ATTACK}
    code, out, _ = replay("--jail", "sshd", "--json", "--compare", other, logs=logs)
    assert (code, json.loads(out)) == (
        0,
        {"at": START + 2, "jail": "sshd", "change": "gone", "by": "ip", "who": "192.0.2.7", "before": START + 2, "after": None},
    )
    summary = json.loads(replay("--jail", "sshd", "--json", "--summary", "--compare", other, logs=logs)[1].splitlines()[-1])
    assert (summary["summary"]["gone"], summary["summary"]["after"]["bans"]) == (1, 0)


def test_comparing_nothing(replay, other):
    """Nobody banned under either: exit 1."""
    assert replay("--json", "--compare", other, logs={"auth.log": line(0, "192.0.2.7")})[:2] == (1, "")


def test_progress_on_a_terminal(replay, monkeypatch):
    """A bar on standard error, gone when the work is done; nothing of it where that is no terminal."""
    monkeypatch.setattr(progress, "PATIENCE", -1.0)
    assert replay("--jail", "sshd", logs={"auth.log": ATTACK})[2] == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    _, out, err = replay("--jail", "sshd", logs={"auth.log": ATTACK})
    assert err.startswith("\r\x1b[K[##############################] 100%, 0s left, 3 lines, 1 banned")
    assert err.endswith("\r\x1b[K")
    assert "\x1b" not in out


def test_the_garbage_collector_is_as_it_was(replay):
    """Afterwards, whatever happened."""
    before = gc.get_threshold(), gc.get_freeze_count()
    replay("--json", logs={"auth.log": ATTACK})
    assert (gc.get_threshold(), gc.get_freeze_count()) == before


def test_nothing_found_is_1(replay):
    """A quiet log: exit 1."""
    assert replay("--json", logs={"auth.log": line(0, "192.0.2.7")})[:2] == (1, "")


def test_an_unknown_jail_is_78(replay):
    """The jails there are stand in the hint."""
    code, out, err = replay("--jail", "ssh", "--json", logs={"auth.log": ""})
    assert (code, out) == (78, "")
    assert json.loads(err)["error"] == "there is no jail 'ssh'"


def test_a_missing_log_is_an_error(replay, tmp_path):
    """It is named."""
    code, _, err = replay(str(tmp_path / "absent.log"), logs={})
    assert code == 1
    assert "absent.log" in err


@pytest.mark.parametrize("rule", ["ip", None])
@pytest.mark.parametrize("until", [1_780_001_800.25, 1e16, None])
@pytest.mark.parametrize("who", ["192.0.2.7", 'x"\\\x7fé\n'])
def test_json_is_what_a_general_encoder_makes(rule, until, who):
    """Bans and unbans are written by hand, and not differently."""
    ban = Ban("sshd", Target("login", who), "login", 1_780_000_000.1, until, rule, failures=3)
    for change in (ban, Unban(ban, 1_780_001_800.25, "expired")):
        assert _render_json(change) == json.dumps(describe(change)) + "\n"
