"""cli/replay.py: what would have been banned, and when."""

import json

import pytest

from banwatch.cli.main import main

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
        code = main(["replay", "--config", str(tmp_path), *words, *paths])
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


def test_text_ends_with_a_summary(replay):
    """For people: date, jail, who, how long, why; then the sums."""
    code, out, _ = replay("--jail", "sshd", logs={"auth.log": "".join(line(second, "192.0.2.7") for second in range(3))})
    first, last = out.splitlines()
    assert first.endswith("[sshd] Ban 192.0.2.7 for 1m: 3 attempts in 600 s")
    assert (code, last) == (0, "3 lines, 3 failures, 1 bans")


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
