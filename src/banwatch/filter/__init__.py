"""Chunk → Match…: finds the lines that count. Pure: time is an argument."""

from banwatch.filter.match import Filter, compile_filter
from banwatch.filter.once import Once
from banwatch.filter.scan import Lens, Scanner, check_encoding

__all__ = ["Filter", "Lens", "Once", "Scanner", "check_encoding", "compile_filter"]
