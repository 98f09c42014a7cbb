"""No detection is later than now."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.curves import curves_of, point, quick
from tides_bridge.brokers.base import Decoded
from tides_bridge.brokers.models import Alert, Message, newest_of
from tides_bridge.decisions.epochs import decode_believable, leave_out_later
from tides_bridge.lightcurves import LightCurves

NOW = 61000.0


class Broker:
    """Reads messages of a name and the epochs of its detections; counts how often."""

    objects_per_call = 1
    calls = 0

    def __init__(self) -> None:
        self.read = 0

    def decode(self, messages: Sequence[Message]) -> Decoded:
        """Read them, the newest of each object."""
        self.read += len(messages)
        said = [json.loads(message.value) for message in messages]
        alerts = [Alert("ztf", name, max(epochs), None, None, None, {}) for name, epochs in said]
        newest = newest_of(alerts)
        curves = []
        for alert in newest:
            epochs = next(
                epochs for name, epochs in reversed(said) if (name, max(epochs)) == (alert.object_id, alert.newest_mjd)
            )
            points = [(0, mjd, 1, 19.0, 0.1, int(mjd), True, True, 10.0, -20.0) for mjd in epochs]
            curves.append(LightCurves.from_points([alert.object_id], points))
        return Decoded(newest, LightCurves.joined(curves), [])

    def fetch(self, object_ids: Sequence[str]) -> None:
        """Nobody asks."""
        raise NotImplementedError

    def try_out(self) -> str:
        """Nobody asks."""
        raise NotImplementedError


def messages(*said: tuple[str, list[float]]) -> list[Message]:
    return [Message("t", 0, number, json.dumps(each).encode()) for number, each in enumerate(said)]


def test_nothing_is_read_twice_where_all_can_be_true() -> None:
    broker = Broker()
    found = decode_believable(broker, messages(("a", [60990.0]), ("b", [61000.5])), NOW + 1)  # type: ignore[arg-type]
    assert (broker.read, found.refused) == (2, [])


def test_one_of_the_future_neither_hides_a_true_one_nor_is_lost() -> None:
    said = [("a", [60990.0, 60999.0]), ("a", [60990.0, 62000.0]), ("b", [60998.0]), ("c", [70000.0])]
    found = decode_believable(Broker(), messages(*said), NOW + 1)  # type: ignore[arg-type]
    newest = {alert.object_id: alert.newest_mjd for alert in found.alerts}
    assert newest == {"a": 60999.0, "b": 60998.0, "c": 0.0}
    assert [(refusal.offset, refusal.reason.split(")")[0]) for refusal in found.refused] == [
        (1, "its newest detection (MJD 62000.00"),
        (3, "its newest detection (MJD 70000.00"),
    ]
    curve = found.curves.part(found.curves.object_ids.index("a"), found.curves.object_ids.index("a") + 1)
    assert curve.mjd.tolist() == [60990.0, 60999.0]


@quick
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"), st.lists(st.sampled_from([60990.0, 60995.5, 60999.0, 61001.5, 65000.0]), min_size=1)
        ),
        max_size=8,
    )
)
def test_of_each_object_the_newest_that_can_be_true_counts(said: list[tuple[str, list[float]]]) -> None:
    found = decode_believable(Broker(), messages(*said), NOW + 1)  # type: ignore[arg-type]
    expected: dict[str, float] = {}
    for name, epochs in said:
        true = [mjd for mjd in epochs if mjd <= NOW + 1]
        expected[name] = max(expected.get(name, 0.0), max(true, default=0.0))
    assert {alert.object_id: alert.newest_mjd for alert in found.alerts} == expected
    assert len(found.refused) == sum(max(epochs) > NOW + 1 for _, epochs in said)


@pytest.mark.parametrize("latest", [61000.0, 61001.0, 61002.5, 60000.0])
def test_points_of_the_future_are_left_out_and_counted(latest: float) -> None:
    epochs = {0: [60999.0, 61001.0, 61003.0], 1: [], 2: [61002.0]}
    points = [point(mjd, of=of) for of, mjds in epochs.items() for mjd in mjds]
    curves, number = leave_out_later(curves_of(*points), latest)
    kept = {of: [mjd for mjd in mjds if mjd <= latest] for of, mjds in epochs.items()}
    assert [curves.part(of, of + 1).mjd.tolist() for of in epochs] == list(kept.values())
    assert number.tolist() == [len(epochs[of]) - len(kept[of]) for of in epochs]
    assert curves.object_ids == ("a", "b", "c")
