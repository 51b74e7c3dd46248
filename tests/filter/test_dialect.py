import re

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from banwatch.filter.dialect import UnknownToRe2Error, translate
from banwatch.filter.failregex import expand_tags

REGEXES = [
    r"^.* from <HOST>(?: port \d{1,5})?$",
    r"^(?:<F-USER>\S*?</F-USER>\s+)+from <HOST> x",
    r"(?i)FROM \[?<F-USER>[^\]\s]*</F-USER>",
    r"(?s)a.b|\W+c[\s\d]{2,3}\Z",
    r"(?i:From) <F-USER>(?-i:.)*?</F-USER> p[^o]rt",
]
TEXTS = st.lists(
    st.sampled_from(
        ["from ", "FROM ", "192.0.2.7", "2001:db8::7", " port ", "22", "٣", "a", "b", "ü", " ", "\x1c", "\xa0", "x", "[", "]"]
    )
    | st.characters(exclude_categories=["Cs"], exclude_characters="\n"),
    max_size=10,
).map("".join)


@given(st.sampled_from(REGEXES), TEXTS)
def test_re2_finds_what_re_finds(regex, text):
    """The same match with the same groups, also beyond ASCII."""
    source = expand_tags(regex)
    found, other = re.search(source, text), re2.compile(translate(source)).search(text)
    assert (found and (found.span(), found.groupdict())) == (other and (other.span(), other.groupdict()))


@pytest.mark.parametrize(
    "regex",
    [
        r"(a)\1",
        "(?>a)",
        "a++",
        "(?=a)b",
        "(?!ab)c",
        ".*(?<![0-9])1",
        r"[\Wa]",
        "a{1001}",
        "(?a)b",
    ],
)
def test_what_re2_cannot_do(regex):
    """It is said, not approximated."""
    with pytest.raises(UnknownToRe2Error):
        translate(regex)
