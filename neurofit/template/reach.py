"""What depends on what: circles, the order in which initial values are set, and what has no effect at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

Graph = Mapping[str, Iterable[str]]


def reached(roots: Iterable[str], graph: Graph) -> set[str]:
    """Every name that the roots lead to, and the roots."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(graph.get(name, ()))
    return found


def circle(graph: Graph) -> list[str] | None:
    """A chain of names that leads back to where it began, or None."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(name) for name in error.args[1]]
    return None


def ordered(graph: Graph) -> list[str]:
    """The graph's names, each after what it depends on; for a graph without circles."""
    return [name for name in TopologicalSorter(graph).static_order() if name in graph]
