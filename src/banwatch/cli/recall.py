"""`banwatch-client why`, `history`, `export` and `import`."""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from banwatch.cli.output import print_json, print_note, print_text
from banwatch.client import Client
from banwatch.errors import EXIT_DONE, EXIT_REFUSED, EXIT_USAGE, ControlError

SLICE = 2000
"""Bans in one request: a few hundred kilobytes."""


def why(client: Client, args: argparse.Namespace) -> int:
    """Print what is known of WHO; nothing known is EXIT_REFUSED."""
    answer = client.why(args.who)
    if args.json:
        print_json(answer)
    else:
        for line in render_why(answer):
            print_text(line)
    return EXIT_DONE if answer["bans"] or answer["counts"] or answer["spared"] else EXIT_REFUSED


def history(client: Client, args: argparse.Namespace) -> int:
    """Print who was banned and let in again; nothing found is EXIT_REFUSED."""
    events = client.history(args.who, args.since)
    for event in events:
        print_json(event) if args.json else print_text(render_event(event))
    return EXIT_DONE if events else EXIT_REFUSED


def export(client: Client, args: argparse.Namespace) -> int:
    """Print the book for another host."""
    bans = client.export()
    if args.ipset:
        from banwatch.cli.ledger import render_ipset

        for line in render_ipset(bans, time.time()):
            print_text(line)
        if logins := sum(ban["by"] == "login" for ban in bans):
            print_note(f"left out, because no set can hold them: {logins} logins")
    else:
        for ban in bans:
            print_json(ban)
    return EXIT_DONE


def import_(client: Client, args: argparse.Namespace) -> int:
    """Take over the bans of a file."""
    from banwatch.cli.ledger import read_bans

    maps = dict(args.maps)
    jails = [jail["jail"] for jail in client.status()["jails"]]
    if wrong := sorted({jail for jail in maps.values() if jail} - {*jails, "allow"}):
        raise ControlError(f"there is no jail {wrong[0]!r}", f"jails: {', '.join(sorted(jails))}", EXIT_USAGE)
    try:
        if args.file == "-":
            bans = read_bans(sys.stdin, jails, maps, time.time())
        else:
            with open(args.file, encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123 (as the operator names it)
                bans = read_bans(file, jails, maps, time.time())
    except OSError as error:
        raise ControlError(f"{args.file}: {error.strerror}", code=EXIT_USAGE) from error
    total: dict[str, Any] = {"imported": 0, "over": 0, "known": 0, "spared": []}
    for start in range(0, len(bans), SLICE):
        for key, value in client.import_(bans[start : start + SLICE]).items():
            total[key] += value
    if args.json:
        print_json(total)
    else:
        print_text(f"{total['imported']} imported, {total['known']} known already, {total['over']} over by now")
        for text in total["spared"]:
            print_note(f"left out: {text}")
    return EXIT_DONE if total["imported"] or total["known"] else EXIT_REFUSED


def render_why(answer: Mapping[str, Any]) -> Iterator[str]:
    """The answer of `why` as lines for people."""
    from banwatch.config.duration import render_duration

    yield f"{answer['who']}: {answer['verdict']}"
    for ban in answer["bans"]:
        decided = f"rule {ban['rule']}, {ban['why']}" if ban["rule"] else f"{ban['origin']}, {ban['why']}"
        yield f"  {ban['jail']}: {_name(ban)} since {_stamp(ban['at'])}, {_end(ban)}: {decided}"
        kernel = ban["kernel"]
        if kernel is not None:
            left = "for ever" if kernel["left"] is None else f"{render_duration(kernel['left'])} left"
            yield f"    in the kernel: {left}, {kernel['dropped']} packets dropped"
        elif ban["by"] != "login":
            yield "    not in the kernel"
        if (leak := ban.get("leak")) is not None:
            times = f"{leak['failures']} failure{'s' * (leak['failures'] != 1)}"
            yield f"    gets through all the same, {times} since then: {leak['reason'] or 'not looked into yet'}"
        yield from _lines(ban["lines"])
    for text in answer["spared"]:
        yield f"  never banned: {text}"
    for count in answer["counts"]:
        limit = f"{count['attempts']} of {count['maxretry']} within {render_duration(count['findtime'])}"
        left = render_duration(count["left"])
        yield f"  {count['jail']}: {count['key']} has {limit} by rule {count['rule']}, the first for {left} yet"
        yield from _lines(count["lines"])


def render_event(event: Mapping[str, Any]) -> str:
    """One entry of the history as a line for people."""
    end = f", {_end(event)}" if event["action"] == "ban" else ""
    return f"{_stamp(event['at'])}  {event['action']:5}  {event['jail']}  {_name(event)}{end}  {event['why']}"


def _lines(lines: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for line in lines:
        text = "(not there any more)" if line["text"] is None else line["text"]
        yield f"    {line['file']} at {line['offset']}, {_stamp(line['at'])}: {text}"


def _name(ban: Mapping[str, Any]) -> str:
    return f"login:{ban['who']}" if ban["by"] == "login" else str(ban["who"])


def _stamp(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _end(ban: Mapping[str, Any]) -> str:
    return "for ever" if ban["until"] is None else f"until {_stamp(ban['until'])}"
