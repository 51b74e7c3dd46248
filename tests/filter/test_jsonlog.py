"""A line of JSON as the text of its fields."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.filter.failregex import PatternError
from banwatch.filter.jsonlog import field_text, parse_path, read_object


def text_of(line, path):
    """What stands in a field of a line."""
    return field_text(read_object(line), parse_path(path))


@pytest.mark.parametrize(
    ("line", "path", "text"),
    [
        ('{"a":"x"}', "a", "x"),
        ('{"a":401}', "a", "401"),
        (b'{"a":"\xff\\\\\xfe","b":"x"}'.decode(errors="backslashreplace"), "a", r"\xff\\xfe"),
        (r'{"a":"\x22\\x22"}', "a", r"\x22\x22"),
        ('{"a":1646861401.5241024}', "a", "1646861401.5241024"),
        ('{"a":1e3}', "a", "1e3"),
        ('{"a":true,"b":false}', "b", "false"),
        ('{"a":true}', "a", "true"),
        ('{"a":null}', "a", ""),
        ('{"a":""}', "a", ""),
        ('{"b":1}', "a", ""),
        ('{"a":NaN}', "a", "NaN"),
        ('{"a":{"b":{"c":"x"}}}', "a.b.c", "x"),
        ('{"a.b":"x"}', "a.b", "x"),
        ('{"a":"x"}', "a.b", ""),
        ('{"a":{"b":"x"}}', "a", None),
        ('{"a":[]}', "a", "[]"),
        ('{"a":["x"]}', "a", "x"),
        ('{"a":["x",2]}', "a", "x, 2"),
        ('{"a":["x","y"]}', "a.1", "y"),
        ('{"a":["x","y"]}', "a.2", ""),
        ('{"a":[["x"]]}', "a", None),
        ('{"a":["x"]}', "a.-1", ""),
        ('{"a":"1\\n2\\u0000\\ud800\\u2028"}', "a", "1\\n2\\x00\\ud800\\u2028"),
        ('{"a":"1\t2"}', "a", "1\\t2"),
        ('{"a":"é\u00a0"}', "a", "é\u00a0"),
    ],
)
def test_fields(line, path, text):
    """Values are text on one line; what is absent or null is empty; lists are joined."""
    assert text_of(line, path) == text


@pytest.mark.parametrize("line", ['{"a":"1","a":"2"}', '{"a":"1","b":3,"a":{"b":1}}', '{"b":{"a":"x"},"b":{"a":"y"}}'])
def test_a_key_that_stands_twice_says_nothing(line):
    """Nobody can tell which of the two is the program's."""
    assert text_of(line, "a" if "b" not in line or "3" in line else "b.a") is None


@pytest.mark.parametrize(
    "line", ["", "x", "[1]", '"a"', "1", "{", '{"a":1} x', '{"a":\\x22}', "{" * 60000, '{"a":' + "[" * 60000]
)
def test_what_is_no_object(line):
    """Anything else gives nothing, however deep it is."""
    assert read_object(line) is None


def test_depth_does_not_depend_on_ours():
    """An object that is nested without end is refused, and the stack is left as it was."""
    before = sys.getrecursionlimit()
    assert read_object('{"a":' * 30000 + "1" + "}" * 30000) is None
    assert sys.getrecursionlimit() == before


def test_numbers_of_any_length_are_text():
    """No number is computed with."""
    assert text_of('{"a":' + "9" * 60000 + "}", "a") == "9" * 60000


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "a\n"])
def test_what_is_no_path(path):
    """A path has no empty parts."""
    with pytest.raises(PatternError, match=r"a field like status or request\.remote_ip"):
        parse_path(path)


@given(st.text(), st.text())
def test_a_value_cannot_pose_as_another(one, other):
    """Whatever text a value is, the other fields keep theirs, and no value has a line end in it."""
    line = json.dumps({"a": one, "ip": "192.0.2.7", "b": other})
    assert text_of(line, "ip") == "192.0.2.7"
    assert len(text_of(line, "a").splitlines()) <= 1
