"""Chunks on their way to Dask: whole, uncopied where they stay in the process, and gone when they are done with."""

import pickle

import pytest

from tasks import judge as under_test
from tasks.behaviour import Handed
from tasks.judge import Chunk
from tests.support.answers import ztf_settings
from tides_bridge.brokers.models import Alert, Message
from tides_bridge.settings import Settings

MESSAGES = [Message("alerts", 0, offset, b"x" * 1000, b"key") for offset in range(3)]


def sent(chunk: Chunk) -> Chunk:
    """Send a chunk as Dask does."""
    back: Chunk = pickle.loads(pickle.dumps(chunk))
    return back


@pytest.mark.parametrize("dask", [{"processes": True}, {"address": "tcp://host:8786"}])
def test_a_chunk_goes_to_another_process_as_it_is(dask: dict[str, object]) -> None:
    settings = ztf_settings(dask=dask)
    back = sent(Chunk(MESSAGES, settings, []))
    assert (back.items, back.settings, back.functions) == (MESSAGES, settings, [])
    assert len(pickle.dumps(Chunk(MESSAGES, settings, []))) > 3000


def test_a_chunk_stays_where_it_is_for_a_thread_of_this_process() -> None:
    chunk = Chunk(MESSAGES, ztf_settings(), [])
    assert len(pickle.dumps(chunk)) < 200
    assert sent(chunk) is chunk
    assert sent(chunk) is chunk, "a task that Dask repeats finds it again"


@pytest.mark.parametrize("settings", [ztf_settings(), ztf_settings(dask={"processes": True})])
def test_what_is_done_with_holds_no_message(settings: Settings) -> None:
    chunk = Chunk(MESSAGES, settings, [])
    pickle.dumps(chunk)
    chunk.empty()
    assert (chunk.items, under_test._here.get(chunk.key)) == ([], None)


def test_a_worker_gets_no_message_that_was_read_already() -> None:
    alert = Alert("ztf", "a", 61000.0, 10.0, 20.0, None, {"objectId": "a"})
    (item,) = Chunk([alert], ztf_settings(), []).items
    assert isinstance(item, Alert) and item.message == {}
    assert alert.message == {"objectId": "a"}


def test_each_chunk_has_a_name_of_its_own_for_dask() -> None:
    names = {Chunk(MESSAGES, ztf_settings(), []).__dask_tokenize__() for _ in range(3)}
    assert len(names) == 3


def test_prefect_is_given_something_that_it_can_keep_for_nothing() -> None:
    box = Handed(MESSAGES)
    assert not hasattr(box, "__dict__")
    assert box.take() is MESSAGES
    assert box.take() is None
