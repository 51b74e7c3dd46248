"""The examples that the shipped filters carry."""

import pytest


def test_every_example_gives_exactly_what_it_says(shipped, owner, example):
    """Kind, address, login and count of each example are as written, and a near miss gives nothing."""
    match = shipped(owner).match(example.log)
    if example.kind is None:
        assert match is None
        return
    said = {"kind": match.kind, "ip": match.ip, "login": match.login, "count": str(match.attempts)}
    asked = {"hint": "true" if match.hint else "false", "session": match.session}
    said |= {name: value for name, value in asked.items() if name in example.expect}
    assert said == {"kind": example.kind, "login": None, "count": "1", **example.expect}


def test_examples_with_a_date_are_dated(shipped, filter_name):
    """No header of a shipped filter loses the date."""
    for example in shipped(filter_name).spec.examples:
        if example.kind is not None:
            assert shipped(filter_name).match(example.log).at is not None, example.log


def test_every_regex_has_an_example(shipped, owner, regex_place):
    """Each regex matches some example by itself, and with what the example says."""
    alone = shipped(owner).only(*regex_place)
    matches = [(alone.match(example.log), example) for example in alone.spec.examples]
    assert [
        match
        for match, example in matches
        if match is not None and match.kind == example.kind and match.ip == example.expect["ip"]
    ]


def test_no_two_regexes_claim_one_example(shipped, owner, regex_place):
    """However the regexes were ordered, the examples would give the same."""
    alone = shipped(owner).only(*regex_place)
    for example in alone.spec.examples:
        match = alone.match(example.log)
        if match is not None:
            whole = shipped(owner).match(example.log)
            assert (whole.kind, whole.hint, whole.ip, whole.login) == (match.kind, match.hint, match.ip, match.login), example.log


def test_a_scan_of_all_examples_is_the_sum_of_its_lines(shipped, filter_name):
    """What is found in a chunk is what is found in its lines one by one: nothing falls through the prefilter."""
    one = shipped(filter_name)
    lines = [example.log for example in one.spec.examples]
    found = one.scan("".join(f"{line}\n" for line in lines).encode())
    for number, line in enumerate(lines, 1):
        alone = one.match(line)
        assert found.get(number, alone)._replace(start=0) == alone if alone is not None else number not in found


def test_every_regex_is_anchored_on_both_sides(shipped, filter_name):
    """A regex that may begin or end anywhere could be satisfied by text within a name."""
    spec = shipped(filter_name).spec
    texts = [text for texts in (*spec.failregex.values(), *spec.hintregex.values(), spec.successregex) for text in texts]
    for text in texts:
        assert text.startswith("^"), text
        assert text.endswith("$"), text


@pytest.mark.parametrize("name", ["dovecot", "exim4", "sshd"])
def test_a_login_filter_knows_success(shipped, name):
    """Whoever logs in in the end is forgiven, so good logins have to be seen."""
    assert shipped(name).spec.successregex
