import pickle
import re

import pytest

from tides_bridge import errors
from tides_bridge.errors import BridgeError, FourmostRejected, RejectedError, SettingsError, TransientError

ALL = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, BaseException)}

EXAMPLES = [
    (BridgeError("something"), "something"),
    (
        SettingsError("flowSetting.yaml", "devConfig.topic", "is missing"),
        "flowSetting.yaml: devConfig.topic: is missing",
    ),
    (SettingsError("flowSetting.yaml", "", "no such file"), "flowSetting.yaml: no such file"),
    *(
        (
            kind("Kafka broker x:9092", "does not answer", "is it up?"),
            "Kafka broker x:9092: does not answer (is it up?)",
        )
        for kind in ALL.values()
        if issubclass(kind, TransientError)
    ),
    (TransientError("4MOST", "answered 500"), "4MOST: answered 500"),
    (
        errors.RunOvertaken("database tides"),
        "database tides: another run has begun there: this one ends, and leaves to it what is not done yet",
    ),
    (FourmostRejected("ZTF26aaaaaaa", "no such row", 404), "ZTF26aaaaaaa: no such row"),
    *(
        (kind("ZTF26aaaaaaa", "dec: 41"), "ZTF26aaaaaaa: dec: 41")
        for kind in ALL.values()
        if issubclass(kind, RejectedError)
    ),
]


@pytest.mark.parametrize(("error", "text"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_an_error_keeps_its_text_between_processes(error: BridgeError, text: str) -> None:
    assert str(error) == text
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        copy = pickle.loads(pickle.dumps(error, protocol))
        assert (type(copy), str(copy), copy.args, vars(copy)) == (type(error), text, error.args, vars(error))


def test_every_error_has_an_example() -> None:
    assert {type(error) for error, _ in EXAMPLES} == set(ALL.values())


def test_the_tree_that_is_drawn_is_the_tree_of_classes() -> None:
    drawn: dict[str, str | None] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([│├└─ ]*)([A-Z]\w+)", line)
        if found:
            depth = len(found[1]) // 4
            above[depth:] = [found[2]]
            drawn[found[2]] = above[depth - 1] if depth else None
    assert drawn == {name: kind.__base__.__name__ if name != "BridgeError" else None for name, kind in ALL.items()}
    assert len(drawn) == 15


def test_only_what_is_transient_can_be_retried() -> None:
    transient = {name for name, kind in ALL.items() if issubclass(kind, TransientError)}
    away = {"BackupFailed", "BrokerUnavailable", "DatabaseUnavailable", "FourmostUnavailable", "WorkerLost"}
    away |= {"PrefectUnavailable", "TomUnavailable"}
    assert transient == {"TransientError", *away}


def test_a_rejection_keeps_its_status_between_processes() -> None:
    assert pickle.loads(pickle.dumps(FourmostRejected("a", "b", 404))).status == 404
    assert FourmostRejected("a", "b").status == 0
