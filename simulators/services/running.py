"""What all stand-ins in this process share: they run from ``with`` to its end."""

from types import TracebackType
from typing import Self


class RunningStandin:
    """What runs between `start` and `stop`, or in a ``with`` statement."""

    def start(self) -> Self:
        """Begin to answer; raises BrokerUnavailable if that fails."""
        raise NotImplementedError

    def stop(self) -> None:
        """End, and close the port; a second call does nothing."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
