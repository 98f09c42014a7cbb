import logging
import os
import pickle
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from tides_bridge.errors import SettingsError
from tides_bridge.resources import shipped
from tides_bridge.selection.file import load_function
from tides_bridge.settings import Settings, find_file, load_settings, provenance, secrets_in
from tides_bridge.settings import tree as under_test

D334 = """\
devConfig:
  topic: lasair_19tidesSelect
  groupID: 123456
  lasairToken: Cb6442e76373g2M7bwjd738ae1c946d54b8f7993
  selectFunctionPath: ./path/to/tidesSelectionFunctions.yml
  selectFunction: tidesSNZTFSelectDEM01
  tidesDBUser: username
  tidesDBpass: tidesDBpassword
  tidesDBdatabase: tides
"""
"""The example of D3.3.4, 3.1.1."""

NEEDED = "  topic: t\n  groupID: 1\n  selectFunction: f\n"
SECRETS = ("Cb6442e76373g2M7bwjd738ae1c946d54b8f7993", "tidesDBpassword", "token-of-4most", "password-of-kafka")

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        file = tmp_path / "flowSetting.yaml"
        file.write_text(text)
        return file

    return write


@pytest.fixture
def with_secrets(write: Write) -> Path:
    more = "  fourmost: {token: token-of-4most}\n  broker: {options: {sasl.password: password-of-kafka}}\n"
    return write(D334 + more)


def problem_of(file: Path, configuration: str | None = None) -> tuple[str, str, str]:
    with pytest.raises(SettingsError) as error:
        load_settings(configuration, file)
    assert error.value.__context__ is None or error.value.__suppress_context__  # as pydantic's error may show values
    return error.value.file, error.value.key, error.value.problem


def source_of(file: Path, key: str) -> tuple[str, str]:
    """Value and source of a setting in force."""
    return next((value, source) for name, value, source, _ in provenance(file=file) if name == key)


# Files that are right


def test_the_example_of_d334_loads_unchanged(write: Write, tmp_path: Path) -> None:
    settings = load_settings("devConfig", write(D334))
    assert (settings.topic, settings.group_id) == ("lasair_19tidesSelect", "123456")
    assert settings.lasair_token is not None
    assert settings.lasair_token.get_secret_value() == "Cb6442e76373g2M7bwjd738ae1c946d54b8f7993"
    assert settings.select_function_path == tmp_path / "path" / "to" / "tidesSelectionFunctions.yml"
    assert settings.select_function == "tidesSNZTFSelectDEM01"
    assert (settings.tides_db_user, settings.tides_db_database) == ("username", "tides")
    assert settings.tides_db_pass is not None
    assert settings.tides_db_pass.get_secret_value() == "tidesDBpassword"


def test_the_shipped_file_loads() -> None:
    settings = load_settings(file=shipped("flowSetting.yaml"))
    assert (settings.topic, settings.select_function) == ("lasair_19tidesSelect", "tidesSNZTFClean")
    assert load_function(settings.select_function_path, settings.select_function).rules == "strict"


def test_what_is_commented_in_the_shipped_file_is_the_default(write: Write) -> None:
    text = re.sub(r"^  # (\s*\w+:)", r"  \1", shipped("flowSetting.yaml").read_text(), flags=re.MULTILINE)
    assert len(text.splitlines()) == len(shipped("flowSetting.yaml").read_text().splitlines())
    documented = load_settings(file=write(text)).model_dump()
    assert documented["fourmost"].pop("colour_terms")  # of ZTF, which that configuration follows
    default = load_settings(file=write("devConfig:\n" + NEEDED)).model_dump()
    assert default["fourmost"].pop("colour_terms") == ()
    needed = {"topic", "group_id", "select_function", "select_function_path"}
    assert {key: documented[key] for key in documented if key not in needed} == {
        key: default[key] for key in default if key not in needed
    }
    content = yaml.safe_load(text)["devConfig"]
    assert set(content) >= {"broker", "lightCurves", "database", "dask", "targets", "fourmost", "lasairToken"}
    assert content["fourmost"]["surveyID"] == 15


def keys_of(model: type[BaseModel], *above: str) -> dict[tuple[str, ...], str]:
    """The keys of a section and of those in it, as the file has them, each with its type in words."""
    keys: dict[tuple[str, ...], str] = {}
    for field in model.model_fields.values():
        key = (*above, str(field.alias))
        is_section = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        keys |= keys_of(field.annotation, *key) if is_section else {key: str(field.annotation)}
    return keys


def test_the_shipped_file_explains_every_key() -> None:
    text = re.sub(r"^  # (\s*\w+:)", r"  \1", shipped("flowSetting.yaml").read_text(), flags=re.MULTILINE)
    for keys in keys_of(Settings):
        explained = yaml.safe_load(text)["devConfig"]
        for key in keys:
            assert key in explained, keys
            explained = explained[key]


def test_a_secret_of_any_key_is_warned_of() -> None:
    secrets = [keys for keys, kind in keys_of(Settings).items() if "SecretStr" in kind and keys[0] != "brokers"]
    for keys in secrets:
        values: Any = {"sasl.password": "x"} if keys[-1] == "options" else "x"
        for key in reversed(keys):
            values = {key: values}
        assert secrets_in(values) == [".".join(keys) + (".sasl.password" if keys[-1] == "options" else "")]
    assert len(secrets) >= 6


def test_the_only_configuration_needs_no_name(write: Write) -> None:
    assert load_settings(file=write("anything:\n" + NEEDED)).topic == "t"
    assert load_settings(file=write("2026:\n" + NEEDED)).topic == "t"


def test_of_several_configurations_one_is_chosen(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = {name: {"topic": f"of {name}", "groupID": 1, "selectFunction": "f"} for name in ("a", "devConfig", "b")}
    file = write(yaml.safe_dump(blocks))
    assert load_settings(file=file).topic == "of devConfig"
    monkeypatch.setenv("TIDES_CONFIG", "b")
    assert load_settings(file=file).topic == "of b"
    assert load_settings("a", file).topic == "of a"


def test_which_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_file() == Path("flowSetting.yaml")
    monkeypatch.setenv("TIDES_SETTINGS", "/elsewhere/settings.yaml")
    assert find_file() == Path("/elsewhere/settings.yaml")
    assert find_file(tmp_path) == tmp_path


def test_the_demo_is_found_by_itself_unless_a_file_has_one_of_that_name(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(under_test, "data_folder", lambda: tmp_path / "data")
    file = write(f"one:\n{NEEDED}")
    monkeypatch.chdir(tmp_path)
    assert find_file(configuration="demo") == tmp_path / "data" / "demo" / "settings.yaml"
    assert "make up" in problem_of(find_file(configuration="demo"), "demo")[2]
    assert find_file(file, "demo") == file
    assert problem_of(file, "demo")[1:] == ("demo", "no such configuration; there are: one")
    (tmp_path / "data" / "demo").mkdir(parents=True)
    find_file(configuration="demo").write_text(
        f"demo:\n{NEEDED}  groupID: 7\n  lasairToken: of a stand-in\n".replace("  groupID: 1\n", "")
    )
    monkeypatch.setenv("TIDES_CONFIG", "demo")
    assert load_settings().group_id == load_settings("demo").group_id == "7"
    assert "secret" not in caplog.text
    assert {source for key, _, source, _ in provenance() if key == "groupID"} == {str(find_file())}
    write(f"demo:\n{NEEDED}")
    assert load_settings().group_id == "1"


@pytest.mark.parametrize(
    ("written", "duration"),
    [
        ("5 days", timedelta(days=5)),
        ("5 day", timedelta(days=5)),
        ("5 D", timedelta(days=5)),
        ("5 d", timedelta(days=5)),
        ("5d", timedelta(days=5)),
        ("1d 12h", timedelta(hours=36)),
        ("36 hours", timedelta(hours=36)),
        ("1.5 days", timedelta(hours=36)),
        ("P5D", timedelta(days=5)),
        ("30 seconds", timedelta(seconds=30)),
        ("30 s", timedelta(seconds=30)),
        ("45 minutes", timedelta(minutes=45)),
        ("5m", timedelta(minutes=5)),
        ("00:05:00", timedelta(minutes=5)),
        ("500 ms", timedelta(milliseconds=500)),
        ("0 s", timedelta(0)),
    ],
)
def test_a_duration_with_its_unit(write: Write, written: str, duration: timedelta) -> None:
    settings = load_settings(
        file=write(f"a:\n{NEEDED}  targets: {{deactivateAfter: '{written}'}}\n  broker: {{silence: '{written}'}}")
    )
    assert (settings.targets.deactivate_after, settings.broker.silence) == (duration, duration)


@pytest.mark.parametrize("written", ["5", "5.0", "'5'", "' 5 '", "'+5'", "'5.'", "'5e0'"])
def test_a_bare_number_is_in_the_keys_own_unit(write: Write, written: str) -> None:
    settings = load_settings(
        file=write(f"a:\n{NEEDED}  targets: {{deactivateAfter: {written}}}\n  broker: {{silence: {written}}}")
    )
    assert (settings.targets.deactivate_after, settings.broker.silence) == (timedelta(days=5), timedelta(seconds=5))


def test_waiting_for_light_curves_is_in_the_units_of_its_keys(write: Write) -> None:
    written = "longestWait: 90, tryAgainAfter: 1 hour, giveUpAfter: 7"
    options = load_settings(file=write(f"a:\n{NEEDED}  lightCurves: {{{written}}}")).light_curves
    durations = (options.longest_wait, options.try_again_after, options.give_up_after)
    assert durations == (timedelta(seconds=90), timedelta(hours=1), timedelta(days=7))


# Files that are wrong


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ("devConfig:\n  groupID: 1\n  selectFunction: f", "devConfig.topic", "is missing"),
        (f"a:\n{NEEDED}  grupID: 1", "a.grupID", "unknown key"),
        (f"a:\n{NEEDED}  group_id: 1", "a.group_id", "unknown key"),
        (f"a:\n{NEEDED}  on: 1", "a.True", "unknown key"),
        (f"a:\n{NEEDED}  broker: {{batchsize: 1}}", "a.broker.batchsize", "unknown key"),
        (f"a:\n{NEEDED}  fourmost: {{exposureTimes: {{x: 1}}}}", "a.fourmost.exposureTimes.x", "unknown key"),
        (f"a:\n{NEEDED}  broker: {{batchSize: many}}", "a.broker.batchSize", "must be a whole number"),
        (f"a:\n{NEEDED}  broker: {{batchSize: 0}}", "a.broker.batchSize", "greater than 0"),
        (f"a:\n{NEEDED}  broker:", "a.broker", "must have keys of its own"),
        (f"a:\n{NEEDED}  broker: {{5: 5}}", "a.broker.5", "Keys should be strings"),
        (f"a:\n{NEEDED}  broker: {{kind: 7}}", "a.broker.kind", "quotation marks"),
        (
            f"a:\n{NEEDED}  lightCurves: {{objectsPerCall: 51}}",
            "a.lightCurves.objectsPerCall",
            "less than or equal to 50",
        ),
        (f"a:\n{NEEDED}  lightCurves: {{timeout: 0}}", "a.lightCurves.timeout", "greater than 0 seconds"),
        (f"a:\n{NEEDED}  lightCurves: {{giveUpAfter: -1}}", "a.lightCurves.giveUpAfter", "duration"),
        (f"a:\n{NEEDED}  fourmost: {{connections: 0}}", "a.fourmost.connections", "greater than or equal to 1"),
        (f"a:\n{NEEDED}  fourmost: {{connections: 33}}", "a.fourmost.connections", "less than or equal to 32"),
        (f"a:\n{NEEDED}  database: {{port: 65536}}", "a.database.port", "less than or equal to 65535"),
        (f"a:\n{NEEDED}  targets: {{faintLimit: {{R: 20}}}}", "a.targets.faintLimit.R", "'u', 'g', 'r'"),
        (f"a:\n{NEEDED}  fourmost: {{magType: r}}", "a.fourmost.magType", "pattern"),
        (f"a:\n{NEEDED}  fourmost: {{magType: Johnson_V_Vega}}", "a.fourmost.magType", "pattern"),
        (f"a:\n{NEEDED}  fourmost: {{magType: SDSS_DR7_r_AB}}", "a.fourmost.magType", "pattern"),
        (f"a:\n{NEEDED}  fourmost: {{classification: supernova}}", "a.fourmost.classification", "pattern"),
        (f"a:\n{NEEDED}  fourmost: {{cadence: 4194304}}", "a.fourmost.cadence", "less than 4194304"),
        (f"a:\n{NEEDED}  now: 2026-06-09 12:00:00", "a.now", "of which zone"),
        (f"a:\n{NEEDED}  tidesDBpass: 0123", "a.tidesDBpass", "quotation marks"),
        (f"a:\n{NEEDED}\nb:\n{NEEDED}", "devConfig", "no such configuration; there are: a, b"),
        ("", "", "must hold named blocks of keys"),
        ("[a, b]", "", "must hold named blocks of keys"),
        ("a: 5", "", "must hold named blocks of keys"),
        ("a: b: c", "", "is not YAML: mapping values are not allowed here in line 1"),
        ("a: \x00", "", "is not YAML: unacceptable character #x0000"),
        ("a: !!python/name:os.system", "", "is not YAML: could not determine a constructor"),
        ("a: {now: 2026-13-01}", "", "is not YAML: month must be in 1..12"),
        (f"a:\n{NEEDED}  watchdog: {{exchangeBy: 14:30}}", "a.watchdog.exchangeBy", "with quotation marks"),
    ],
)
def test_a_wrong_setting_is_named_by_file_and_key(write: Write, text: str, key: str, problem: str) -> None:
    file = write(text)
    where, which, what = problem_of(file)
    assert (where, which) == (str(file), key)
    assert problem in what


@pytest.mark.parametrize(
    "written",
    ["soon", "5 parsecs", "1 M", "''", "nat", "nan", ".nan", ".inf", "1e30", "true", "[5]", "5.5.5", "-5 s", "-5"],
)
def test_what_is_no_duration(write: Write, written: str) -> None:
    _, key, problem = problem_of(write(f"a:\n{NEEDED}  broker: {{silence: {written}}}"))
    assert key == "a.broker.silence"
    assert "duration" in problem or "timedelta" in problem
    assert not problem.startswith("Value error")


@pytest.mark.parametrize(
    ("line", "key", "meant"),
    [
        ("topik: a", "topik", "topic"),
        ("TOPICS: a", "TOPICS", "topic"),
        ("fourmost: {adress: 'http://a'}", "fourmost.adress", "address"),
        ("fourmost: {subSurveys: 1}", "fourmost.subSurveys", "subsurvey"),
        ("brokers: {one: {topic: a, kinds: lasair_ztf}}", "brokers.one.kinds", "kind"),
        ("nothingLikeIt: 1", "nothingLikeIt", ""),
    ],
)
def test_a_mistyped_key_is_named_before_what_is_missing_for_it(write: Write, line: str, key: str, meant: str) -> None:
    problem = problem_of(write(f"a:\n  {line}\n"))  # whatever is needed is missing as well
    assert problem[1:] == (f"a.{key}", "unknown key" + (f": is {meant} meant?" if meant else ""))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert problem_of(tmp_path / "no.yaml") == (str(tmp_path / "no.yaml"), "", "no such file: tides init writes one")
    assert problem_of(tmp_path)[2].startswith("cannot be read: ")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\xfa")
    assert problem_of(tmp_path / "x.yaml")[2].startswith("cannot be read: ")


def test_an_unknown_configuration_is_named(write: Write) -> None:
    assert problem_of(write(D334), "production")[1:] == ("production", "no such configuration; there are: devConfig")


# The environment


@pytest.mark.parametrize(
    ("variable", "value", "key", "shown"),
    [
        ("TIDES_TOPIC", "other", "topic", "other"),
        ("TIDES_GROUPID", "7", "groupID", "7"),
        ("TIDES_TIDESDBPASS", "hidden", "tidesDBpass", "********"),
        ("TIDES_LASAIRTOKEN", "hidden", "lasairToken", "********"),
        ("TIDES_BROKER__BATCHSIZE", "7", "broker.batchSize", "7"),
        ("TIDES_LIGHTCURVES__CALLSPERHOUR", "7", "lightCurves.callsPerHour", "7"),
        ("TIDES_LIGHTCURVES__TRYAGAINAFTER", "1 hour", "lightCurves.tryAgainAfter", "60 minutes"),
        ("TIDES_LIGHTCURVES__GIVEUPAFTER", "7", "lightCurves.giveUpAfter", "7 days"),
        ("TIDES_LIGHTCURVES__LONGESTWAIT", "0", "lightCurves.longestWait", "0 seconds"),
        ("TIDES_FOURMOST__CONNECTIONS", "1", "fourmost.connections", "1"),
        ("TIDES_TARGETS__DEACTIVATEAFTER", "4 days", "targets.deactivateAfter", "4 days"),
        ("TIDES_FOURMOST__SURVEYID", "5", "fourmost.surveyID", "5"),
        ("TIDES_FOURMOST__TOKEN", "hidden", "fourmost.token", "********"),
        ("TIDES_FOURMOST__EXPOSURETIMES__D", "40", "fourmost.exposureTimes.d", "40.0"),
        ("TIDES_NOW", "2026-06-09T12:00:00Z", "now", "2026-06-09 12:00:00+00:00"),
    ],
)
def test_every_key_may_come_from_the_environment_which_wins(
    with_secrets: Path, monkeypatch: pytest.MonkeyPatch, *, variable: str, value: str, key: str, shown: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert source_of(with_secrets, key) == (shown, f"environment {variable}")


def test_the_environment_adds_to_a_section_of_the_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(f"a:\n{NEEDED}  broker: {{batchSize: 7, silence: 1 s}}")
    monkeypatch.setenv("TIDES_BROKER__SILENCE", "2 s")
    broker = load_settings(file=file).broker
    assert (broker.batch_size, broker.silence) == (7, timedelta(seconds=2))
    assert source_of(file, "broker.batchSize") == ("7", str(file))


def test_an_empty_variable_is_none(with_secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDES_LASAIRTOKEN", "")
    assert source_of(with_secrets, "lasairToken") == ("********", str(with_secrets))


@pytest.mark.parametrize(
    ("variable", "value", "key", "problem"),
    [
        ("TIDES_BROKER__BATCHSIZ", "7", "TIDES_BROKER__BATCHSIZ", "unknown key"),
        ("TIDES_BROKER__BATCH_SIZE", "7", "TIDES_BROKER__BATCH_SIZE", "unknown key"),
        ("TIDES_BROKER__BATCHSIZE", "many", "TIDES_BROKER__BATCHSIZE", "must be a whole number"),
        ("TIDES_TIDESDBDATABASE", "x" * 64, "TIDES_TIDESDBDATABASE", "at most 63 characters"),
        ("TIDES_BROKER", "many", "TIDES_BROKER", "must be JSON"),
    ],
)
def test_a_wrong_variable_is_named(
    write: Write, monkeypatch: pytest.MonkeyPatch, *, variable: str, value: str, key: str, problem: str
) -> None:
    monkeypatch.setenv(variable, value)
    where, which, what = problem_of(write(D334))
    assert (where, which) == ("environment", key)
    assert problem in what


def test_a_variable_that_is_no_setting_is_warned_of(
    write: Write, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("TIDES_FOURMOST_TOKEN", "TIDES_FOURMOST__TOKEN", "TIDES_CONFIG"):
        monkeypatch.setenv(name, "a")
    load_settings(file=write(f"a:\n{NEEDED}"))
    assert [record.getMessage() for record in caplog.records] == [
        "an environment variable that is no setting: is it misspelt? name=TIDES_FOURMOST_TOKEN"
    ]


# Where values came from, and secrets


def test_the_source_of_every_setting_is_told(write: Write) -> None:
    file = write(f"a:\n{NEEDED}  broker: {{silence: 90 s}}")
    rows = {key: (value, source) for key, value, source, _ in provenance(file=file)}
    assert rows["groupID"] == ("1", str(file))
    assert rows["broker.silence"] == ("90 seconds", str(file))
    assert rows["broker.longestPull"] == ("45 minutes", "default")
    assert rows["lasairToken"] == ("", "default")
    assert rows["targets.faintLimit"] == ("u: 22.5, g: 22.5, r: 22.5, i: 22.5, z: 22.5, y: 22.5", "default")
    assert all(meaning for _, _, _, meaning in provenance(file=file))


def test_secrets_are_shown_nowhere(with_secrets: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = load_settings(file=with_secrets)
    shown = [repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump())]
    shown += [repr(provenance(file=with_secrets)), caplog.text]
    for text in shown:
        assert not [secret for secret in SECRETS if secret in text]


def test_secrets_are_not_shown_by_errors(with_secrets: Path) -> None:
    text = with_secrets.read_text()
    with_secrets.write_text(text.replace("token: token-of-4most", "token: [token-of-4most]"))
    with pytest.raises(SettingsError) as error:
        load_settings(file=with_secrets)
    assert error.value.key == "devConfig.fourmost.token"
    assert not [secret for secret in SECRETS if secret in f"{error.value!r} {error.value}"]


def test_secrets_are_not_shown_by_a_file_that_is_not_yaml(write: Write) -> None:
    file = write(D334.replace(SECRETS[0], f"{SECRETS[0]}: x"))
    assert problem_of(file)[2] == "is not YAML: mapping values are not allowed here in line 4"


def test_secrets_in_the_file_are_warned_of(with_secrets: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        load_settings(file=with_secrets)
    keys = [record.getMessage().partition("key=")[2] for record in caplog.records]
    assert keys == [
        f"devConfig.{key}" for key in ("lasairToken", "tidesDBpass", "fourmost.token", "broker.options.sasl.password")
    ]


def test_options_of_kafka_are_text(write: Write) -> None:
    options = load_settings(file=write(f"a:\n{NEEDED}  broker: {{options: {{a.b: false, c: 5, d: x}}}}")).broker.options
    assert {key: value.get_secret_value() for key, value in options.items()} == {"a.b": "False", "c": "5", "d": "x"}


def test_settings_go_to_other_processes(with_secrets: Path) -> None:
    settings = load_settings(file=with_secrets)
    copy = pickle.loads(pickle.dumps(settings))
    assert copy == settings
    assert copy.lasair_token.get_secret_value() == SECRETS[0]


def test_settings_are_frozen(write: Write) -> None:
    settings = load_settings(file=write(f"a:\n{NEEDED}"))
    for section in (settings, settings.broker, settings.fourmost.exposure_times):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, next(iter(type(section).model_fields)), "x")


def test_nothing_else_reads_the_environment() -> None:
    package = Path(under_test.__file__).parents[1]
    readers = [
        file.name for file in package.rglob("*.py") if re.search(r"environ\[|environ\.get|getenv", file.read_text())
    ]
    assert set(readers) <= {"tree.py", "by_hand.py", "prefect.py", "embedded.py", "failpoints.py"}
    assert "TIDES_TOPIC" not in os.environ


def test_the_clock_can_be_fixed(write: Write) -> None:
    assert load_settings(file=write(f"a:\n{NEEDED}  now: 2026-06-09T12:00:00+02:00")).time() == datetime(
        2026, 6, 9, 10, tzinfo=UTC
    )
    assert abs(load_settings(file=write(f"a:\n{NEEDED}")).time() - datetime.now(UTC)) < timedelta(minutes=1)


# Colour terms


TERM = "from: ZTF_r, source: a test"
COLOUR = "colour: [ZTF_g, ZTF_r], validColours: [-0.5, 1.5]"


def with_terms(*terms: str, more: str = "") -> str:
    """Write a configuration with colour terms."""
    return f"a:\n{NEEDED}  fourmost: {{{more}colourTerms: [{', '.join(f'{{{term}}}' for term in terms)}]}}"


def test_colour_terms_keep_their_order_and_have_defaults(write: Write) -> None:
    file = write(with_terms(f"{TERM}, slope: -0.05, {COLOUR}, maxColourAge: 36 hours", f"{TERM}, zeroPoint: 1"))
    first, second = load_settings(file=file).fourmost.colour_terms
    assert (first.from_band, first.zero_point, first.slope, first.source) == ("ZTF_r", 0, -0.05, "a test")
    assert (first.colour, first.valid_colours) == (("ZTF_g", "ZTF_r"), (-0.5, 1.5))
    assert (first.max_colour_age, second.max_colour_age) == (timedelta(hours=36), timedelta(days=5))
    assert (second.zero_point, second.slope, second.colour, second.valid_colours) == (1, 0, None, None)
    assert source_of(file, "fourmost.colourTerms") == ("ZTF r + 0 - 0.05 (ZTF g - ZTF r), ZTF r + 1", str(file))


def test_no_colour_term_is_taken_for_granted(write: Write) -> None:
    assert load_settings(file=write(f"a:\n{NEEDED}")).fourmost.colour_terms == ()


def test_colour_terms_may_come_from_the_environment_as_json(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDES_FOURMOST__COLOURTERMS", '[{"from": "ZTF_r", "source": "a test"}]')
    (term,) = load_settings(file=write(f"a:\n{NEEDED}")).fourmost.colour_terms
    assert (term.from_band, str(term)) == ("ZTF_r", "ZTF r + 0")
    monkeypatch.setenv("TIDES_FOURMOST__COLOURTERMS", "ZTF_r")
    assert problem_of(write(f"a:\n{NEEDED}"))[:2] == ("environment", "TIDES_FOURMOST__COLOURTERMS")


@pytest.mark.parametrize(
    ("term", "key", "problem"),
    [
        ("from: ZTF_r", ".0.source", "is missing"),
        ("from: ZTF_r, source: ' '", ".0.source", "pattern"),
        ("source: a test", ".0.from", "is missing"),
        ("from: ZTF_q, source: a test", ".0.from", "(LSST|ZTF)_[ugrizy]"),
        ("from: r, source: a test", ".0.from", "(LSST|ZTF)_[ugrizy]"),
        ("from: SDSS_r, source: a test", ".0.from", "(LSST|ZTF)_[ugrizy]"),
        (f"{TERM}, slope: .nan", ".0.slope", "finite number"),
        (f"{TERM}, zeroPoint: true", ".0.zeroPoint", "must be a number"),
        (f"{TERM}, zeropoint: 1", ".0.zeropoint", "unknown key"),
        (f"{TERM}, slope: 0.1", ".0", "a slope needs colour and validColours"),
        (f"{TERM}, slope: 0.1, colour: [ZTF_g, ZTF_r]", ".0", "a slope needs colour and validColours"),
        (f"{TERM}, validColours: [0, 1]", ".0", "these need each other"),
        (f"{TERM}, colour: [ZTF_g, ZTF_g], validColours: [0, 1]", ".0", "a colour is of two bands"),
        (f"{TERM}, colour: [ZTF_g, ZTF_r], validColours: [1, 1]", ".0", "validColours must be [lower, upper]"),
        (f"{TERM}, {COLOUR}, maxColourAge: -1", ".0.maxColourAge", "negative"),
        ("from: ZTF_g, zeroPoint: -0.3, source: a test", "", "ZTF_g is another band than LSST_r_AB"),
        (f"from: ZTF_i, {COLOUR}, source: a test", "", "ZTF_i is another band than LSST_r_AB"),
    ],
)
def test_a_colour_term_that_is_none_is_refused(write: Write, term: str, key: str, problem: str) -> None:
    _, where, what = problem_of(write(with_terms(term)))
    assert where == f"a.fourmost.colourTerms{key}"
    assert problem in what


def test_another_band_needs_a_slope(write: Write) -> None:
    text = with_terms(f"from: ZTF_g, slope: -0.9, {COLOUR}, source: a test")
    assert load_settings(file=write(text)).fourmost.colour_terms[0].from_band == "ZTF_g"
    assert load_settings(
        file=write(with_terms("from: ZTF_g, source: a test", more="magType: LSST_g_AB, "))
    ).fourmost.colour_terms


# Where the selection functions are


def test_the_selection_file_lies_beside_the_settings_file(write: Write, tmp_path: Path) -> None:
    file = write(f"a:\n{NEEDED}  selectFunctionPath: ./sub/functions.yaml")
    assert load_settings(file=file).select_function_path == tmp_path / "sub" / "functions.yaml"
    assert load_settings(file=write(f"a:\n{NEEDED}  selectFunctionPath: /else/f.yaml")).select_function_path == Path(
        "/else/f.yaml"
    )


def test_without_a_selection_file_the_shipped_one_is_taken(write: Write, tmp_path: Path) -> None:
    assert load_settings(file=write(f"a:\n{NEEDED}")).select_function_path == shipped("selectionFunctions.yaml")
    (tmp_path / "selectionFunctions.yaml").touch()
    assert load_settings(file=write(f"a:\n{NEEDED}")).select_function_path == tmp_path / "selectionFunctions.yaml"


def test_settings_of_a_test_are_made_by_alias(write: Write) -> None:
    assert Settings(topic="t", groupID=5, selectFunction="f").group_id == "5"


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("groupID: ''", "groupID"),
        ("groupID: true", "groupID"),
        ("topic: ''", "topic"),
        ("dask: {workers: true}", "dask.workers"),
        ("targets: {faintLimit: {r: .nan}}", "targets.faintLimit.r"),
        ("fourmost: {exposureTimes: {d: true}}", "fourmost.exposureTimes.d"),
        ("fourmost: {address: 'ftp://x'}", "fourmost.address"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(line: str, key: str, write: Write) -> None:
    lines = [each for each in NEEDED.splitlines() if each.split(":")[0].strip() != line.split(":", maxsplit=1)[0]]
    with pytest.raises(SettingsError) as error:
        load_settings(file=write("\n".join(["a:", *lines, f"  {line}"])))
    assert error.value.key == f"a.{key}"


def test_a_key_that_is_there_twice_is_refused(write: Write) -> None:
    with pytest.raises(SettingsError, match="twice"):
        load_settings(file=write(f"a:\n{NEEDED}  dask: {{workers: 1, workers: 2}}"))


def test_an_error_of_yaml_shows_no_secret(write: Write) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(file=write(f"a:\n{NEEDED}  lasairToken: *hidden"))
    assert "hidden" not in str(error.value)


def test_a_password_in_an_address_is_masked(write: Write) -> None:
    rows = provenance(file=write(f"a:\n{NEEDED}  fourmost: {{address: 'https://u:hidden@h/QFSwi'}}"))
    assert {row[0]: row[1] for row in rows}["fourmost.address"] == "https://********@h/QFSwi"
