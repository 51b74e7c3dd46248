"""The filter that an operator names: one of the configuration's, or one in a file of its own."""

from dataclasses import replace
from pathlib import Path

from banwatch.config.build import build_filter
from banwatch.config.files import UnreadableError, read_text
from banwatch.config.load import load_config
from banwatch.config.model import FilterSpec, Mark
from banwatch.config.problem import sorted_problems
from banwatch.config.read import Reader
from banwatch.config.tree import NotYamlError, compose
from banwatch.errors import EXIT_USAGE, BanwatchError, ConfigError


class UsageError(BanwatchError):
    """The arguments ask for what is not there."""

    code = EXIT_USAGE


def load_filter(name: str, directory: Path) -> FilterSpec:
    """
    The filter of that name as `directory` has it, or the one that stands in a file of its own.

    Args:
        name: a path if it has a slash in it, or ends in .yaml.
    Raises:
        UsageError: there is none of that name.
        ConfigError: it has problems.
    """
    if "/" in name or name.endswith((".yaml", ".yml")):
        return _read_filter(Path(name))
    config = load_config(directory)
    if name in config.filters:
        return config.filters[name]
    problems = [problem for problem in config.problems if problem.filter == name]
    if problems:
        raise ConfigError(f"the filter {name} is broken", problems=problems)
    raise UsageError(f"there is no filter {name!r}", f"filters: {', '.join(sorted(config.filters))}")


def as_messages(spec: FilterSpec) -> FilterSpec:
    """The same filter for messages that nothing stands before, as the journal has them; of objects of JSON the dates stay."""
    json = tuple(text for text in spec.header if text == "json")
    plain = ("none",) if spec.header != json else ()
    return replace(spec, header=(*plain, *json), program=None, date=spec.date if json else None)


def _read_filter(path: Path) -> FilterSpec:
    name = path.name.removesuffix(".yaml").removesuffix(".yml")
    reader = Reader(filter=name)
    try:
        table, problems = compose(read_text(path, str(path)), str(path))
    except (UnreadableError, NotYamlError) as error:
        raise ConfigError(f"the filter {path} is broken", problems=[error.problem]) from None
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    reader.problems.extend(problems)
    spec = build_filter(reader, name, table, Mark(str(path), 0))
    if spec is None:
        raise ConfigError(f"the filter {path} is broken", problems=sorted_problems(reader.problems))
    return spec
