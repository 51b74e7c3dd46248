"""
The commands of `banwatch-client`: one function each, which asks the daemon, prints what it says, and returns the exit code.

Imports come late: a script may start the client for every address it bans.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from banwatch.cli.output import print_error, print_json, print_note, print_text
from banwatch.client import Client, Default
from banwatch.errors import EXIT_DONE, EXIT_REFUSED, ControlError


def status(client: Client, args: argparse.Namespace) -> int:
    """Print the tree of the daemon or of one jail; what is not well goes to standard error."""
    from banwatch.cli.tree import notes, render_jail, render_jails

    if args.logins:
        if args.jail:
            args.fail("JAIL and --logins exclude each other")
        return _status_of_logins(client, args)
    answer = client.status(args.jail)
    if args.json:
        _print_objects(answer["jails"])
        for problem in answer["problems"]:
            print_error(ControlError(problem, code=EXIT_DONE), as_json=True)
        return EXIT_DONE
    jails = answer["jails"]
    sys.stdout.write(f"{render_jail(jails[0]) if args.jail else render_jails(jails)}\n")
    for note in notes(answer):
        print_note(note)
    return EXIT_DONE


def _status_of_logins(client: Client, args: argparse.Namespace) -> int:
    answer = client.logins()
    if args.json:
        print_json(answer)
        return EXIT_DONE
    print_text(f"doors: {', '.join(answer['doors']) or 'none; no service is told of banned logins'}")
    for ban in answer["bans"]:
        notes = ["refused" if ban["refuses"] else "held up", ban["why"]]
        if ban["homes"]:
            notes.append(f"{'also' if ban['strict'] else 'not'} from {', '.join(ban['homes'])}")
        if not ban["enforced"]:
            notes.append("not enforced")
        print_text(f"{_name(ban)} banned in {ban['jail']} {_end(ban)}: {'; '.join(notes)}")
    for alarm in answer["alarms"]:
        print_text(f"login:{alarm['login']} looks compromised ({alarm['jail']})")
    if not answer["bans"] and not answer["alarms"]:
        print_text("no login is banned, and no account looks compromised")
    return EXIT_DONE


def ban(client: Client, args: argparse.Namespace) -> int:
    """Keep somebody out: a line for each."""
    from banwatch.cli.who import collect_who, split_jail

    jail, words = split_jail(args.words)
    result = client.ban(collect_who(words, sys.stdin.buffer), jail, args.seconds, args.force)
    if args.json:
        _print_objects(result["bans"])
    else:
        for ban in result["bans"]:
            print_text(f"{_name(ban)} banned in {ban['jail']} {_end(ban)}{'' if ban['enforced'] else ', not enforced'}")
    return EXIT_DONE


def unban(client: Client, args: argparse.Namespace) -> int:
    """Let somebody in again; who is not banned is refused by the daemon."""
    from banwatch.cli.who import collect_who, split_jail

    jail, words = split_jail(args.words)
    if args.all and words:
        args.fail("WHO and --all exclude each other")
    who = [] if args.all else collect_who(words, sys.stdin.buffer)
    count = client.unban(who, jail, everyone=args.all)
    if args.json:
        print_json({"unbanned": count})
    elif args.all:
        print_text(f"{count} unbanned")
    else:
        for text in who:
            print_text(f"{text} unbanned")
    return EXIT_DONE if count or args.all else EXIT_REFUSED


def allow(client: Client, args: argparse.Namespace) -> int:
    """Let somebody in whatever happens."""
    from banwatch.cli.who import collect_who

    who = collect_who(args.words, sys.stdin.buffer)
    count = client.allow(who, args.seconds)
    if args.json:
        print_json({"allowed": count})
        return EXIT_DONE
    for text in who:
        print_text(f"{text} allowed {_length(None if isinstance(args.seconds, Default) else args.seconds)}")
    return EXIT_DONE


def banned(client: Client, args: argparse.Namespace) -> int:
    """Print who is kept out."""
    bans = client.banned()
    if args.json:
        _print_objects(bans)
        return EXIT_DONE
    if not bans:
        print_text("nobody is banned")
    width = _width(bans)
    breadth = max((len(ban["jail"]) for ban in bans), default=0)
    for ban in bans:
        origin = ban["origin"] if ban["rule"] is None else f"{ban['origin']} {ban['rule']}"
        end = f"{_end(ban)}  {origin}{'' if ban['enforced'] else ', not enforced'}"
        print_text(f"{_name(ban):{width}}  {ban['jail']:{breadth}}  {end}")
    return EXIT_DONE


def allowed(client: Client, args: argparse.Namespace) -> int:
    """Print who gets in whatever happens."""
    entries = client.allowed()
    if args.json:
        _print_objects(entries)
        return EXIT_DONE
    if not entries:
        print_text("nobody is allowed by command; ignoreip of the configuration holds all the same")
    width = _width(entries)
    for entry in entries:
        print_text(f"{_name(entry):{width}}  {_end(entry)}")
    return EXIT_DONE


def ping(client: Client, args: argparse.Namespace) -> int:
    """Print pong."""
    answer = client.ping()
    print_json({"ping": answer}) if args.json else print_text(answer)
    return EXIT_DONE


def reload(client: Client, args: argparse.Namespace) -> int:
    """Have the configuration read again; warnings go to standard error."""
    result = client.reload()
    if args.json:
        print_json(result)
        return EXIT_DONE
    count = len(result["jails"])
    print_text(f"reloaded, {count} jail{'' if count == 1 else 's'}: {', '.join(result['jails'])}")
    for problem in result["problems"]:
        print_note(problem)
    return EXIT_DONE


def stop(client: Client, args: argparse.Namespace) -> int:
    """Have the daemon end."""
    client.stop(args.flush)
    print_json({"stop": "stopping"}) if args.json else print_text("stopping")
    return EXIT_DONE


def _print_objects(objects: Iterable[Mapping[str, Any]]) -> None:
    for value in objects:
        print_json(value)


def _name(ban: Mapping[str, Any]) -> str:
    return f"login:{ban['who']}" if ban["by"] == "login" else str(ban["who"])


def _width(entries: Iterable[Mapping[str, Any]]) -> int:
    """Of the column with the names; the longest of all stand out."""
    return min(max((len(_name(entry)) for entry in entries), default=0), 43)


def _end(ban: Mapping[str, Any]) -> str:
    if ban["until"] is None:
        return "for ever"
    from banwatch.config.duration import render_duration

    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ban["until"]))
    return f"until {stamp} ({render_duration(ban['left'])})"


def _length(seconds: float | None) -> str:
    from banwatch.config.duration import render_duration

    return "for ever" if seconds is None else f"for {render_duration(seconds)}"
