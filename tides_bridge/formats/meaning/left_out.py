"""
What was left out while files were read, and why: a digest that every reader fills, so that silence means all was used.

Whoever leaves something out says so with `leave_out`, wherever that is in the code. Whoever reads a file collects what
is said meanwhile, in this thread. Where nobody collects, as in a stream, nothing is kept and it costs nothing.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from tides_bridge.errors import MalformedAlert


@dataclass
class Digest:
    """
    What was told.

    Attributes
    ----------
    points
        How many points, by the reason why they are not used.
    faults
        How many of these are brightnesses that mean something else than is read here.
    remarks
        What was assumed or not understood, each once, as keys in the order in which it came.
    """

    points: Counter[str] = field(default_factory=Counter)
    faults: int = 0
    remarks: dict[str, None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Tell whether there is anything in it."""
        return bool(self.points or self.remarks)

    def lines(self) -> list[str]:
        """Give what is in it as text, a reason a line, the points first and most first."""
        points = [f"{number} points {reason}" for reason, number in self.points.most_common()]
        return [line.replace("1 points", "1 point", 1) if line.startswith("1 ") else line for line in points] + list(
            self.remarks
        )

    def add(self, other: "Digest") -> None:
        """Put another one to it."""
        self.points.update(other.points)
        self.faults += other.faults
        self.remarks |= other.remarks


_collected: ContextVar[Digest | None] = ContextVar("left_out", default=None)


@contextmanager
def collecting() -> Iterator[Digest]:
    """Collect what is left out inside of the block; a block around it does not hear of that."""
    digest = Digest()
    token = _collected.set(digest)
    try:
        yield digest
    finally:
        _collected.reset(token)


def pass_on(digest: Digest) -> None:
    """Say again what was collected."""
    outer = _collected.get()
    if outer is not None:
        outer.add(digest)


def is_collected() -> bool:
    """Tell whether anybody wants to know, for what costs something to find out."""
    return _collected.get() is not None


def check_share(path: Path, lost: int, points: int, digest: Digest) -> None:
    """Refuse a file of which most points cannot be used: raises MalformedAlert with the reasons."""
    if 2 * lost > points:
        raise MalformedAlert(str(path), f"most of it cannot be used: {'; '.join(digest.lines())}")


def leave_out(reason: str, number: int, *, is_fault: bool = True) -> None:
    """
    Say that some points are not used.

    Parameters
    ----------
    reason
        In words that follow "9 points": ``of the band 'w', ...``.
    number
        How many; 0 says nothing.
    is_fault
        Whether a table most of which is so must not be judged at all.
    """
    digest = _collected.get()
    if digest is not None and number:
        digest.points[reason] += number
        digest.faults += number if is_fault else 0


def remark(text: str) -> None:
    """Say once what was assumed, or not understood."""
    digest = _collected.get()
    if digest is not None:
        digest.remarks[text] = None
