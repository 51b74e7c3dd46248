"""log/render.py: what the daemon says, and that nobody else can make it say something."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from banwatch.log.render import render_json, render_message, render_text
from banwatch.model import Ban, Target

BAN = {"at": 1.78e9, "level": "warning", "jail": "dovecot", "event": "Ban 192.0.2.100", "who": "192.0.2.100", "bare": True}


def test_a_ban_reads_as_administrators_know_it():
    """The line of a ban is exactly date, level, jail and who, whatever fields the event has."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d WARNING \[dovecot\] Ban 192\.0\.2\.100", render_text(BAN))


def test_json_has_every_field():
    """As JSON the same event tells all it knows."""
    assert json.loads(render_json(BAN)) == {
        "at": 1.78e9,
        "level": "warning",
        "jail": "dovecot",
        "event": "Ban 192.0.2.100",
        "who": "192.0.2.100",
    }


def test_other_events_carry_fields():
    """Numbers are short, nothing is left out but None, and text with blanks is quoted."""
    event = {"at": 0.0, "level": "info", "event": "read", "path": "/a b", "n": 3, "f": 0.5, "none": None}
    assert render_message(event) == "[banwatch] read path='/a b' n=3 f=0.5"


@given(st.text())
def test_text_from_outside_stays_one_field_of_one_line(text):
    """Whatever somebody chose as a user name: one line, and it can be read back."""
    line = render_message({"event": "seen", "login": text, "after": 1})
    assert line.isprintable()
    assert line.startswith("[banwatch] seen login=")
    assert line.endswith(" after=1")


def test_an_event_may_carry_a_ban():
    """As text with what matters, as JSON with all of it; what stands beside it wins."""
    ban = Ban("sshd", Target("login", "bob"), "login", 0.0, 600.0, "logins", failures=5, why="5 attempts in 600 s")
    event = {"at": 0.0, "level": "info", "jail": "sshd", "event": "why", "ban": ban}
    assert render_message(event) == "[sshd] why who=login:bob why='5 attempts in 600 s' rule=logins bantime=10m"
    assert json.loads(render_json(event | {"why": "expired"})) == {
        "at": 0.0, "level": "info", "jail": "sshd", "event": "why", "who": "login:bob", "why": "expired",
        "rule": "logins", "by": "login", "origin": "rule", "failures": 5, "until": 600.0,
    }  # fmt: skip
