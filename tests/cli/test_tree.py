"""The status tree, byte for byte."""

from typing import Any

import pytest

from banwatch.cli.tree import notes, render_jail, render_jails

SSHD: dict[str, Any] = {
    "jail": "sshd",
    "currently_failed": 1,
    "total_failed": 22,
    "file_list": ["/var/log/auth.log"],
    "currently_banned": 1,
    "total_banned": 2,
    "banned": ["192.0.2.100"],
    "state": "on",
    "enforce": True,
    "problems": [],
}


def status(*jails: dict[str, Any], problems: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"jails": [SSHD | jail for jail in jails], "state": "ok", "problems": list(problems)}


def test_the_jails() -> None:
    """Sorted by name, a TAB after each colon; those that are off are not among them."""
    jails = [{"jail": name, "state": "on"} for name in ("sshd", "dovecot", "manual", "exim4")]
    assert render_jails([*jails, {"jail": "vsftpd", "state": "off"}]) == (
        "Status\n"
        "|- Number of jail:\t4\n"
        "`- Jail list:\tdovecot, exim4, manual, sshd"
    )  # fmt: skip


def test_no_jails() -> None:
    """The colon keeps its TAB."""
    assert render_jails([]) == "Status\n|- Number of jail:\t0\n`- Jail list:\t"


def test_one_jail() -> None:
    """The tree that scripts read."""
    assert render_jail(SSHD) == (
        "Status for the jail: sshd\n"
        "|- Filter\n"
        "|  |- Currently failed:\t1\n"
        "|  |- Total failed:\t22\n"
        "|  `- File list:\t/var/log/auth.log\n"
        "`- Actions\n"
        "   |- Currently banned:\t1\n"
        "   |- Total banned:\t2\n"
        "   `- Banned IP list:\t192.0.2.100"
    )


def test_lists_are_joined_by_one_space() -> None:
    """Files and addresses alike; an empty list leaves the TAB."""
    lines = render_jail(SSHD | {"file_list": ["/a", "/b"], "banned": ["192.0.2.1", "2001:db8::/64"]}).splitlines()
    assert lines[4] == "|  `- File list:\t/a /b"
    assert lines[8] == "   `- Banned IP list:\t192.0.2.1 2001:db8::/64"
    lines = render_jail(SSHD | {"file_list": [], "banned": []}).splitlines()
    assert (lines[4], lines[8]) == ("|  `- File list:\t", "   `- Banned IP list:\t")


def test_a_name_cannot_look_like_another_entry() -> None:
    """Spaces and line ends inside a word are escaped: one word stays one word."""
    banned = ["login:x 192.0.2.9", "login:y\n   `- Banned IP list:\t192.0.2.10"]
    assert render_jail(SSHD | {"banned": banned}).splitlines()[8] == (
        "   `- Banned IP list:\tlogin:x\\x20192.0.2.9 login:y\\n\\x20\\x20\\x20`-\\x20Banned\\x20IP\\x20list:\\t192.0.2.10"
    )


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        (status({}), []),
        (status({}, problems=("jail exim4 is left out",)), ["degraded: jail exim4 is left out"]),
        (
            status({"state": "degraded", "problems": ["/var/log/auth.log: Permission denied"]}),
            ["sshd: degraded: /var/log/auth.log: Permission denied"],
        ),
        (
            status({"state": "waiting"}, {"jail": "exim4", "state": "waiting"}),
            ["waiting for their logs to appear: exim4, sshd"],
        ),
        (status({"state": "off", "enforce": False}), ["off until their logs appear: sshd"]),
        (status({"jail": "wireguard", "enforce": False}), ["ban nobody (enforce: false): wireguard"]),
    ],
)
def test_what_else_there_is_to_say_stands_beside_the_tree(given: dict[str, Any], lines: list[str]) -> None:
    """Nothing when all is well."""
    assert notes(given) == lines
