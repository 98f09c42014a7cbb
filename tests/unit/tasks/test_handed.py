"""What is handed from step to step: whole, uncopied where it stays in the process, and gone when it is taken."""

import pickle

import pytest
from prefect.utilities.collections import visit_collection

from tasks import handed as under_test
from tasks.handed import Handed
from tasks.judge import Chunk
from tests.support.answers import ztf_settings
from tides_bridge.brokers.models import Alert, Message
from tides_bridge.decisions import judging
from tides_bridge.settings import Settings

MESSAGES = [Message("alerts", 0, offset, b"x" * 1000, b"key") for offset in range(3)]
ELSEWHERE = [{"processes": True}, {"address": "tcp://host:8786"}]


def chunk_of(settings: Settings) -> Chunk:
    return Chunk(judging.judge_messages, MESSAGES, settings, [])


def sent(box: Handed[Chunk]) -> Handed[Chunk]:
    """Send a box as Dask does."""
    back: Handed[Chunk] = pickle.loads(pickle.dumps(box))
    return back


@pytest.mark.parametrize("dask", ELSEWHERE)
def test_a_chunk_goes_to_another_process_as_it_is(dask: dict[str, object]) -> None:
    chunk = chunk_of(ztf_settings(dask=dask))
    box = chunk.boxed()
    assert len(pickle.dumps(box)) > 3000
    assert sent(box).take() == chunk
    assert sent(box).take() == chunk, "one that Dask sends again, as its worker was lost, is whole"
    assert box.take() is chunk


def test_a_chunk_stays_where_it_is_for_a_thread_of_this_process() -> None:
    chunk = chunk_of(ztf_settings())
    box = chunk.boxed()
    assert len(pickle.dumps(box)) < 200
    assert sent(box) is box
    assert sent(box) is box, "a task that Dask repeats finds it again"
    assert sent(box).take() is chunk


@pytest.mark.parametrize("dask", [{}, *ELSEWHERE])
def test_what_is_taken_is_held_no_longer(dask: dict[str, object]) -> None:
    first, second = chunk_of(ztf_settings(dask=dask)).boxed(), chunk_of(ztf_settings(dask=dask)).boxed()
    before = set(under_test._on_their_way)
    for box in (first, second):
        pickle.dumps(box)
    first.take()
    assert first.take() is None and sent(first).take() is None
    assert len(set(under_test._on_their_way) - before) == (0 if dask else 1), "the other one waits"
    assert second.take().items is MESSAGES
    assert set(under_test._on_their_way) == before


def test_a_worker_gets_no_message_that_was_read_already() -> None:
    alert = Alert("ztf", "a", 61000.0, 10.0, 20.0, None, {"objectId": "a"})
    (item,) = judging.unread([alert])
    assert (item.object_id, item.message) == ("a", {})
    assert alert.message == {"objectId": "a"}


def test_each_box_has_a_name_of_its_own_for_dask() -> None:
    names = {Handed(MESSAGES).__dask_tokenize__() for _ in range(3)}
    assert len(names) == 3


def test_prefect_cannot_look_into_it() -> None:
    box = Handed(chunk_of(ztf_settings()))
    seen: list[object] = []
    visit_collection([box], visit_fn=seen.append, return_data=False)
    assert [value for value in seen if not isinstance(value, list)] == [box]
    assert not hasattr(box, "__dict__")
    assert box.take().items is MESSAGES
    assert box.take() is None
