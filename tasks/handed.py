"""The one way past the orchestrator's eyes, for what is large: it is kept no longer and copied no more than need be."""

from typing import Any, Generic, TypeVar, cast
from uuid import uuid4

T = TypeVar("T")


class Handed(Generic[T]):
    """
    Something large on its way from one step to the next.

    Prefect looks into what a step is given and returns, field by field, and keeps it until the whole flow ends. Into
    this it cannot look, and it is empty once what is in it was taken. Dask would hash all of it to name it, and copy it
    even to a thread of this process.

    Parameters
    ----------
    content
        What is handed over, to be taken once.
    stays
        Whether who takes it is a thread of this process: then only its name is sent. Else Dask sends all of it.

    >>> box = Handed([1, 2])
    >>> box.take(), box.take()
    ([1, 2], None)
    """

    __slots__ = ("_content", "_name", "_stays")  # a __dict__ would be looked into

    def __init__(self, content: T, *, stays: bool = False) -> None:
        self._content: T | None = content
        self._name, self._stays = uuid4().hex, stays

    def take(self) -> T:
        """Give what is in it, once."""
        content, self._content = self._content, None
        _on_their_way.pop(self._name, None)
        return cast(T, content)

    def __reduce__(self) -> tuple[Any, ...]:
        """Send it to a worker."""
        if not self._stays:
            return Handed, (self._content,)
        if self._content is not None:  # once taken there is nothing to be found any more
            _on_their_way[self._name] = self
        return _found, (self._name,)

    def __dask_tokenize__(self) -> str:
        """Give Dask a name for it."""
        return self._name


_on_their_way: dict[str, Handed[Any]] = {}
"""What stays in this process and was sent to a thread of it, until it is taken."""


def _found(name: str) -> Handed[Any]:
    """Give what was sent to a thread of this process; what is taken already is empty."""
    return _on_their_way.get(name) or Handed(None)
