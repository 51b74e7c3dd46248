"""The configuration's values: what a Config tells about one jail."""

from banwatch.config.model import Config, DaemonSpec, Problem

FILTERS = Problem("filters.d/f.yaml", 1, "date", "a date", "x", filter="f")
OWN = Problem("jails.d/j.yaml", 1, "j.ports", "ports", "x", jail="j")
HINT = Problem("jails.d/j.yaml", 2, "j.rules", "rules", "", jail="j", warning=True)
OTHER = Problem("jails.d/k.yaml", 1, "k.ports", "ports", "x", jail="k")


def test_problems_of_a_jail():
    """A jail's problems are its own, those of its filters, and its warnings, each once."""
    config = Config(
        DaemonSpec(),
        {},
        {},
        problems=(FILTERS, OWN, HINT, OTHER),
        broken=("j", "k"),
        broken_by={"j": (FILTERS, OWN), "k": (OTHER,)},
    )
    assert config.problems_of("j") == (FILTERS, OWN, HINT)
    assert config.problems_of("k") == (OTHER,)
    assert config.problems_of("l") == ()
