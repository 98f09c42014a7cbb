"""The steps that judge let no error out with what it came from: that may hold a token."""

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from tblib import pickling_support

from tasks.handed import Handed
from tasks.judge import Chunk, judge_messages, light_curve_satisfies
from tasks.select_files import do_piece
from tests.support.answers import ztf_settings
from tides_bridge.errors import BrokerUnavailable

TOKEN = b"kVb72Lq"


def fail(*_: Any) -> Any:
    try:
        raise ConnectionError(f"GET https://host/?token={TOKEN.decode()}")
    except ConnectionError as error:
        raise BrokerUnavailable("host", "is away") from error


def chunk() -> Handed[Chunk]:
    return Chunk(fail, [], ztf_settings(), []).boxed()


@pytest.mark.parametrize(
    "step",
    [
        lambda: light_curve_satisfies.fn("1 of 2", chunk()),
        lambda: judge_messages.fn(chunk()),
        lambda: do_piece.fn("files 1", Handed((fail, None))),
    ],
)
def test_an_error_leaves_a_step_without_what_it_came_from(step: Callable[[], Any]) -> None:
    pickling_support.install()  # as Dask does: causes are pickled, too
    with pytest.raises(BrokerUnavailable, match="is away") as before:
        fail()
    assert TOKEN in pickle.dumps(before.value), "Dask would send it"
    with pytest.raises(BrokerUnavailable, match="is away") as caught:
        step()
    assert TOKEN not in pickle.dumps(caught.value)
