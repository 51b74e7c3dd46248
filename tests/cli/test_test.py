"""`banwatch test`: what it prints, and how it ends."""

import bz2
import gzip
import io
import json
import lzma
import subprocess
import sys

import pytest

from banwatch.cli.main import main

FILTER = """\
program: prog
failregex:
  auth:
    - '^failed for <F-USER>.*</F-USER> from <HOST>$'
hintregex:
  auth:
    - '^unknown <F-USER>.*</F-USER> from <HOST>$'
successregex:
  - '^welcome <F-USER>.*</F-USER> from <HOST>$'
"""
HEAD = "Nov 20 10:00:00 mx prog[1]: "
LOG = "".join(
    f"{line}\n"
    for line in (
        f"{HEAD}started",
        f"{HEAD}failed for bob from 192.0.2.7",
        "Nov 20 10:00:01 mx cron[2]: other",
        f"{HEAD}message repeated 2 times: [ failed for a b from 2001:db8::7]",
        f"{HEAD}unknown eve from 192.0.2.8",
        f"{HEAD}welcome bob from 192.0.2.7",
    )
)
OPTIONS = ("--now", "2026-11-21T00:00:00Z", "--timezone", "UTC")


@pytest.fixture
def test(tmp_path, capsys):
    """test(*arguments): exit code, output and errors, with a filter prog and its log in the present directory."""
    (tmp_path / "prog.yaml").write_text(FILTER)
    (tmp_path / "prog.log").write_text(LOG)

    def run(*arguments, filter_="prog.yaml"):
        code = main(["test", str(tmp_path / filter_) if filter_.endswith(".yaml") else filter_, *OPTIONS, *map(str, arguments)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def log(tmp_path):
    return tmp_path / "prog.log"


def test_json(test, log):
    """Each line that counts is one object, with all that is known of it."""
    code, out, err = test("--json", log)
    objects = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert objects[0] == {
        "file": str(log),
        "line": 2,
        "at": 1795168800.0,
        "filter": "prog",
        "kind": "auth",
        "ip": "192.0.2.7",
        "login": "bob",
        "count": 1,
        "regex": "failregex.auth[0]",
        "tags": {"ip": "192.0.2.7", "user": "bob"},
    }
    assert [(o["line"], o["kind"], o["ip"], o["login"], o["count"]) for o in objects[1:]] == [
        (4, "auth", "2001:db8::7", "a b", 2),
        (5, "auth", "192.0.2.8", "eve", 1),
        (6, "success", "192.0.2.7", "bob", 1),
    ]


def test_summary(test, log):
    """Without --json the hits of each regex are told, and all in all."""
    code, out, _ = test(log)
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[:3]] == [
        ["2", "failregex.auth[0]"],
        ["1", "hintregex.auth[0]"],
        ["1", "successregex[0]"],
    ]
    assert out.splitlines()[-1] == "prog: 6 lines, 4 matched (3 auth, 1 success)"


def test_missed(test, log):
    """--missed tells the program's other lines, and no other program's."""
    _, out, _ = test("--missed", "--json", log)
    assert [(o["line"], o["text"]) for o in map(json.loads, out.splitlines()) if o["kind"] is None] == [(1, f"{HEAD}started")]
    assert f"{log}:1: missed: {HEAD}started" in test("--missed", log)[1].splitlines()


def test_a_single_line(test):
    """--line tries what is typed."""
    code, out, _ = test("--line", f"{HEAD}failed for bob from 192.0.2.7")
    assert (code, out.splitlines()[0]) == (0, "auth: 192.0.2.7 login 'bob' (failregex.auth[0])")


def test_a_line_that_does_not_match(test):
    """It is explained: how far it got, and why no further; as JSON if missed lines are wanted."""
    line = f"{HEAD}failed for bob at 192.0.2.7"
    code, out, _ = test("--line", line)
    assert code == 1
    assert out.splitlines()[:4] == [
        "no match: failregex.auth[0] fits up to here, then asks for ' from '",
        "  message  failed for bob at 192.0.2.7",
        "                          ^",
        "  regex    ^failed for <F-USER>.*</F-USER> from <HOST>$",
    ]
    assert test("--json", "--line", line)[:2] == (1, "")
    (missed,) = map(json.loads, test("--json", "--missed", "--line", line)[1].splitlines())
    assert (missed["kind"], missed["why"]) == (None, "failregex.auth[0] fits up to here, then asks for ' from '")


def test_a_date_that_is_none(test):
    """It is told, whether the line matches or not."""
    _, out, _ = test("--line", "Feb 31 10:00:00 mx prog[1]: failed for bob from 192.0.2.7")
    assert out.splitlines()[:2] == [
        "auth: 192.0.2.7 login 'bob' (failregex.auth[0])",
        "  there is no such date as 'Feb 31 10:00:00': it would count as now",
    ]


def test_messages_of_the_journal(test, log):
    """Without header and date; whose they are is not asked."""
    log.write_text("started\nfailed for bob from 192.0.2.7\n")
    (found,) = map(json.loads, test("--json", "--logtype", "journal", log)[1].splitlines())
    assert (found["line"], found["at"], found["ip"]) == (2, None, "192.0.2.7")


def test_objects_of_the_journal(test, tmp_path, log):
    """A message that is an object of JSON keeps its own date."""
    (tmp_path / "own.yaml").write_text("header: json\nfields: {ip: a, date: t}\nfailfields: {auth: [{s: '401'}]}\n")
    log.write_text('{"t":1795168800.5,"s":401,"a":"192.0.2.7"}\n')
    (found,) = map(json.loads, test("--json", "--logtype", "journal", log, filter_="own.yaml")[1].splitlines())
    assert (found["at"], found["ip"]) == (1795168800.5, "192.0.2.7")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"Nov 20 10:00:00 mx cron[2]: other\n{HEAD}started\n", f":2: no regex begins like this message: {HEAD}started"),
        ("Nov 20 10:00:00 mx cron[2]: other\n", ":1: the program is 'cron', not prog: Nov 20 10:00:00 mx cron[2]: other"),
    ],
)
def test_where_nothing_matches(test, log, text, said):
    """One line is explained for all, of the filter's own program if there is one."""
    log.write_text(text)
    code, out, _ = test(log)
    assert (code, out.splitlines()[0]) == (1, f"{log}{said}")


def test_missed_in_another_encoding(test, log):
    """Lines are shown as they were written, and numbered by line ends alone."""
    log.write_bytes(f"{HEAD}a\rb\n{HEAD}j\xfcrgen\n".encode("latin-1"))
    out = test("--missed", "--json", "--encoding", "latin-1", log)[1]
    assert [(o["line"], o["text"]) for o in map(json.loads, out.splitlines())] == [(1, f"{HEAD}a\rb"), (2, f"{HEAD}jürgen")]
    assert test("--encoding", "utf-16", log)[0] == 2


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)])
def test_packed_logs(test, tmp_path, ending, pack):
    """Logs that were packed after rotation are read as they are; the last line needs no end."""
    packed = tmp_path / f"prog.log.{ending}"
    packed.write_bytes(pack(LOG.rstrip("\n").encode()))
    assert [json.loads(line)["line"] for line in test("--json", packed)[1].splitlines()] == [2, 4, 5, 6]


def test_standard_input(test, monkeypatch):
    """- is standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LOG.encode())))
    assert [json.loads(line)["file"] for line in test("--json", "-")[1].splitlines()] == ["-"] * 4


def test_lines_are_counted_through(test, log):
    """Line numbers go on where one piece of a large log ends and the next begins."""
    log.write_text("x" * 99 + "\n" * 1 + ("y" * 99 + "\n") * 20000 + LOG)
    assert [json.loads(line)["line"] for line in test("--json", log)[1].splitlines()] == [20003, 20005, 20006, 20007]


def test_nothing_matched(test, log):
    """Nothing found is exit code 1."""
    log.write_text("nothing\n")
    assert test("--json", log) == (1, "", "")


def test_a_log_that_cannot_be_read(test, tmp_path):
    """A missing log is an error with its name."""
    code, _, err = test("--json", tmp_path / "none.log")
    assert (code, json.loads(err)["code"]) == (1, 1)
    assert "none.log" in json.loads(err)["error"]


def test_a_broken_filter(test, tmp_path, log):
    """A filter with problems is exit code 78, with all of them."""
    (tmp_path / "bad.yaml").write_text("failregex:\n  auth:\n    - '(<HOST>'\n    - 'nobody'\n")
    code, _, err = test("--json", log, filter_="bad.yaml")
    assert code == 78
    problems = [(problem["line"], problem["key"]) for problem in json.loads(err)["problems"]]
    assert problems == [(3, "failregex.auth[0]"), (4, "failregex.auth[1]")]


def test_an_unknown_filter(test, tmp_path, log):
    """A filter that there is not is a matter of usage, and the others are named."""
    code, _, err = test("--config", tmp_path, "--json", log, filter_="nosuch")
    assert code == 2
    assert json.loads(err)["error"] == "there is no filter 'nosuch'"
    assert "sshd" in json.loads(err)["hint"]


def test_a_shipped_filter(test, tmp_path, log):
    """A name is that of a shipped or configured filter."""
    log.write_text("Nov 20 10:00:00 mx sshd[812]: Failed password for root from 192.0.2.7 port 4242 ssh2\n")
    (found,) = map(json.loads, test("--config", tmp_path, "--json", log, filter_="sshd")[1].splitlines())
    assert (found["ip"], found["login"]) == ("192.0.2.7", "root")


def test_nothing_to_read(test):
    """Neither a log nor a line is a matter of usage."""
    assert test()[0] == 2


@pytest.mark.parametrize("arguments", [("--now", "yesterday"), ("--timezone", "Nowhere/Land")])
def test_bad_arguments(test, log, arguments):
    """What is no time and no zone is refused before anything is read."""
    with pytest.raises(SystemExit) as caught:
        test(*arguments, log)
    assert caught.value.code == 2


def test_nobody_reads_on(tmp_path):
    """Output that nobody reads any more ends it quietly."""
    (tmp_path / "prog.yaml").write_text(FILTER)
    (tmp_path / "prog.log").write_text(LOG * 5000)
    argv = [sys.executable, "-m", "banwatch.cli.main", "test", str(tmp_path / "prog.yaml"), "--json", str(tmp_path / "prog.log")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(30) == 0
