"""
The fuzz_… functions of test_fuzz.py with bytes from atheris, which follows what they reach, for as long as one likes.

    pip install atheris
    python tests/filter/fuzz_filters.py -max_total_time=300 -max_len=2000 [CORPUS]
"""

import sys

import atheris

with atheris.instrument_imports(include=["banwatch"]):
    import test_fuzz

TARGETS = (test_fuzz.fuzz_date, test_fuzz.fuzz_regex, test_fuzz.fuzz_lines, test_fuzz.fuzz_lines)


def fuzz(data: bytes) -> None:
    """The first byte says which of them."""
    TARGETS[(data[:1] or b"\0")[0] % len(TARGETS)](data[1:])


if __name__ == "__main__":
    test_fuzz.shipped()
    atheris.Setup(sys.argv, fuzz)
    atheris.Fuzz()
