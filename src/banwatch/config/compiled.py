"""Filters that are compiled when somebody first asks for them."""

from collections.abc import Collection, Iterator, Mapping

from banwatch.config.model import FilterSpec
from banwatch.filter.match import Filter, compile_filter


class CompiledFilters(Mapping[str, Filter]):
    """
    Name → compiled filter; each is compiled once.

    Args:
        proven: the filters whose regexes are known to be linear in `re`.
    Raises:
        ConfigError: on access, when a filter does not compile, with its problems.
    """

    def __init__(self, specs: Mapping[str, FilterSpec], proven: Collection[str] = ()) -> None:
        self._specs = dict(specs)
        self._proven = proven
        self._compiled: dict[str, Filter] = {}

    def __getitem__(self, name: str) -> Filter:
        found = self._compiled.get(name)
        if found is None:
            found = self._compiled[name] = compile_filter(self._specs[name], name in self._proven)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def take_over(self, name: str, older: Mapping[str, Filter]) -> None:
        """Spare the work if `older` has done it for the same filter."""
        if isinstance(older, CompiledFilters) and name in older._compiled:
            self._compiled[name] = older._compiled[name]

    def drop(self, name: str) -> None:
        """Know nothing of a filter that is broken."""
        self._specs.pop(name, None)
        self._compiled.pop(name, None)
