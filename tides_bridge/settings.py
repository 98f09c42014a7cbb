"""
The settings: one frozen tree, read once a run from flowSetting.yaml and the environment, and passed down.

This is the only module that reads either. The environment wins over the file, the file over the defaults. YAML keys
keep the spelling of D3.3.4 (``groupID``, ``lasairToken``, ``tidesDBUser``); in Python they are snake_case.
"""

import logging
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableVariable

from tides_bridge.errors import SettingsError
from tides_bridge.photometry import Band, mjd_from_time
from tides_bridge.resources import shipped
from tides_bridge.yaml_blocks import read_blocks

logger = logging.getLogger(__name__)

DEFAULT_FILE = "flowSetting.yaml"
DEFAULT_CONFIGURATION = "devConfig"


def _duration(value: object, unit: Literal["s", "D"]) -> object:
    """Read "4 days", "5 s" or a bare number in the key's own unit."""
    from pandas import Timedelta  # slow to import, and most settings are defaults

    if not isinstance(value, int | float | str):
        return value
    words = re.sub(r"(?<=[\d\s])d\b", "D", str(value).strip())  # Pandas wants a capital
    bare = re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", words, re.IGNORECASE)
    try:
        duration = (Timedelta(float(words), unit=unit) if bare else Timedelta(words)).to_pytimedelta()
    except (ValueError, OverflowError, AttributeError):  # the last from NaT
        raise ValueError("not a duration: write it as 5 days or 30 seconds") from None
    if duration < timedelta(0):
        raise ValueError("a duration must not be negative")
    return duration


def _text(value: object) -> object:
    """Take a number for text, as in ``groupID: 123456``."""
    return str(value) if type(value) in (int, float, bool) else value


def _number(value: object) -> object:
    """Refuse true and false for a number: to Python they are 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


Seconds = Annotated[timedelta, BeforeValidator(partial(_duration, unit="s"))]
Days = Annotated[timedelta, BeforeValidator(partial(_duration, unit="D"))]
PositiveInt = Annotated[int, BeforeValidator(_number), Field(gt=0)]
Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]
Address = Annotated[str, Field(pattern=r"^https?://[^/\s]+")]


class Section(BaseModel):
    """A section of a configuration: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, alias_generator=to_camel)


class BrokerSettings(Section):
    """Where alerts come from."""

    kind: Literal["lasair_ztf"] = Field("lasair_ztf", description="which broker's messages these are")
    bootstrap_servers: Text = Field("kafka.lsst.ac.uk:9092", description="Kafka host:port[,host:port]")
    silence: Seconds = Field(timedelta(seconds=5), description="a stream this long without a message is at its end")
    longest_pull: Seconds = Field(timedelta(minutes=45), description="a run takes no new batch after this time")
    batch_size: PositiveInt = Field(5000, description="messages that are decided and stored together")
    options: dict[str, Annotated[SecretStr, BeforeValidator(_text)]] = Field(
        {}, description="any librdkafka option, such as security.protocol; shown masked, as some are secret"
    )


class LightCurveSettings(Section):
    """Where light curves come from."""

    address: Address = Field("https://lasair-ztf.lsst.ac.uk/api", description="base address of the Lasair API")
    objects_per_call: Annotated[int, Field(ge=1, le=50)] = Field(50, description="objects a call")
    calls_per_hour: PositiveInt = Field(100, description="calls that the account may make in any hour")
    timeout: Seconds = Field(timedelta(seconds=60), gt=timedelta(0), description="time to wait for an answer")
    longest_wait: Seconds = Field(
        timedelta(minutes=2), description="a run waits that long for calls to become free again"
    )
    try_again_after: Seconds = Field(
        timedelta(minutes=30), description="an object without light curve is tried again then; twice as long each time"
    )
    give_up_after: Days = Field(timedelta(days=14), description="an object without light curve is given up then")


class DatabaseSettings(Section):
    """Where the tables live."""

    host: str = Field("embedded", description="'embedded', or the host of any PostgreSQL server from version 15")
    port: Annotated[int, Field(gt=0, le=65535)] = Field(5432, description="port of that server")
    folder: Path | None = Field(None, description="data folder of the embedded database")


class DaskSettings(Section):
    """Where light curves are judged."""

    address: str | None = Field(None, description="scheduler of a cluster that runs already, as tcp://host:8786")
    workers: PositiveInt = Field(2, description="or that many workers here")
    threads_per_worker: PositiveInt = Field(2, description="threads of each worker here")
    processes: bool = Field(False, description="workers here are processes; threads start faster and copy nothing")
    objects_per_task: PositiveInt = Field(200, description="objects a task: as many calls of the light-curve API")


class DecisionSettings(Section):
    """How long decisions are kept."""

    keep_for: Days | None = Field(
        None, ge=timedelta(days=31), description="months of decisions that ended longer ago are dropped; empty: none is"
    )


class TargetSettings(Section):
    """How long a target stays a target."""

    deactivate_after: Days = Field(timedelta(days=5), description="without a detection, a target is switched off")
    faint_limit: dict[Band, Number] = Field(
        dict.fromkeys(get_args(Band), 22.5),
        description="[mag] switched off when the latest magnitude of every band seen is fainter than its limit",
    )


class ExposureTimes(Section):
    """Exposure times [min] in dark, grey, bright and superbright sky."""

    d: Number = Field(38, ge=0, description="[min] dark sky")
    g: Number = Field(38, ge=0, description="[min] grey sky")
    b: Number = Field(4300, ge=0, description="[min] bright sky")
    s: Number = Field(4300, ge=0, description="[min] superbright sky")


class FourmostSettings(Section):
    """How targets are described to 4MOST, and where."""

    address: Address | None = Field(None, description="as https://host/QFSwi; without it nothing is sent")
    token: SecretStr | None = Field(None, description="of a 4MOST account")
    survey_id: PositiveInt = Field(15, alias="surveyID", description="15 is S10 TiDES, 5 is S_test")
    subsurvey: str = Field("tides-sn", max_length=256, description="as in the survey catalogue")
    template: str = Field(
        "SN_spec_specid56_snt1_phase5_redshift0.169.fits", max_length=256, description="spectral template"
    )
    ruleset: str = Field("tides_snMay2024", max_length=256, description="success criteria")
    exposure_times: ExposureTimes = Field(ExposureTimes(), description="[min] by sky brightness")
    cadence: int = Field(2**20, ge=0, lt=2**22, description="cadence flags")
    mag_type: str = Field(
        "LSST_r_AB",
        pattern=r"^[^\W_]+_[ugrizy]_[^\W_]+$",
        description="SURVEY_band_SYSTEM; that band's magnitude is sent",
    )
    classification: str = Field("TRA", pattern=r"^([A-Z]{3}(, ?[A-Z]{3}){0,2})?$", description="up to three codes")
    epoch: float = Field(2000.0, ge=1950, le=2050, description="[yr] of the position")
    resolution: Literal[1, 2] = Field(1, description="1 is LRS, 2 is HRS")
    page_size: PositiveInt = Field(100, description="targets a call")
    connections: Annotated[int, Field(ge=1, le=32)] = Field(8, description="calls at the same time")
    timeout: Seconds = Field(timedelta(seconds=15), gt=timedelta(0), description="time to wait for an answer")

    @property
    def band(self) -> str:
        """The band whose magnitude is sent: the middle of ``mag_type``."""
        return self.mag_type.split("_")[1]


class Settings(BaseSettings):
    """One configuration of flowSetting.yaml."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        alias_generator=to_camel,
        env_prefix="TIDES_",
        env_prefix_target="all",
        env_nested_delimiter="__",
        env_ignore_empty=True,
    )

    topic: Text = Field(description="the Kafka topic: at Lasair, the name of a filter")
    group_id: Annotated[Text, BeforeValidator(_text), BeforeValidator(_number)] = Field(
        alias="groupID", description="the bookmark in the stream"
    )
    lasair_token: SecretStr | None = Field(None, description="key to the light-curve API")
    select_function_path: Path = Field(
        Path("selectionFunctions.yaml"), description="file of selection functions, relative to the settings file"
    )
    select_function: str = Field(description="which of them chooses the targets")
    shadow_functions: tuple[str, ...] = Field((), description="others that are judged and recorded, and choose nothing")
    tides_db_user: str = Field("tides", alias="tidesDBUser", description="role on the database server")
    tides_db_pass: SecretStr | None = Field(None, alias="tidesDBpass", description="its password")
    tides_db_database: str = Field(
        "tides", alias="tidesDBdatabase", min_length=1, max_length=63, description="name of the database"
    )
    now: AwareDatetime | None = Field(None, description="a fixed time instead of the clock, for recorded nights")

    broker: BrokerSettings = BrokerSettings()
    light_curves: LightCurveSettings = LightCurveSettings()
    database: DatabaseSettings = DatabaseSettings()
    dask: DaskSettings = DaskSettings()
    decisions: DecisionSettings = DecisionSettings()
    targets: TargetSettings = TargetSettings()
    fourmost: FourmostSettings = FourmostSettings()

    @field_validator("shadow_functions")
    @classmethod
    def _each_function_once(cls, names: tuple[str, ...], others: ValidationInfo) -> tuple[str, ...]:
        for name in names:
            if (*names, others.data.get("select_function")).count(name) > 1:
                raise ValueError(f"{name} is named twice, or is selectFunction")
        return names

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, whose content comes as keyword arguments."""
        return env_settings, init_settings

    def time(self) -> datetime:
        """Give the time the bridge works at: the clock, or ``now`` where that is set."""
        return self.now or datetime.now(UTC)

    def now_mjd(self) -> float:
        """Give that time as MJD [d, UTC]."""
        return mjd_from_time(self.time())


def find_file(file: Path | None = None) -> Path:
    """Give the settings file: the one asked for, else $TIDES_SETTINGS, else flowSetting.yaml in this folder."""
    return Path(file or os.environ.get("TIDES_SETTINGS") or DEFAULT_FILE)


def load(configuration: str | None = None, file: Path | None = None) -> Settings:
    """
    Read one configuration.

    Parameters
    ----------
    configuration
        Its name; default $TIDES_CONFIG, else the only one in the file, else ``devConfig``.
    file
        The settings file; default: see `find_file`.

    Raises
    ------
    SettingsError
        Naming file and key, if anything is missing, unknown or of the wrong type.
    """
    file = find_file(file)
    name, values = _configuration(file, configuration)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise _settings_error(error, file, name) from None
    except UnreadableVariable as error:
        problem = f"{error}: write it as JSON, or give its keys one by one"
        raise SettingsError("environment", "", problem) from None
    for variable in _unknown_variables():
        logger.warning("an environment variable that is no setting: is it misspelt? name=%s", variable)
    for key in secrets_in(values):
        logger.warning("a secret is written in a file: better the environment, file=%s key=%s.%s", file, name, key)
    return settings.model_copy(update={"select_function_path": _selection_file(settings, file)})


def configuration_name(configuration: str | None = None, file: str | None = None) -> str:
    """Give the name that `load` would take, for a title: "bridge" if the settings are wrong."""
    try:
        return _configuration(find_file(Path(file) if file else None), configuration)[0]
    except SettingsError:
        return configuration or "bridge"


def provenance(configuration: str | None = None, file: Path | None = None) -> list[tuple[str, str, str, str]]:
    """
    List every setting in force.

    Returns
    -------
    list of (key, value, source, meaning)
        Dotted YAML keys; secrets masked; the source is the file, an environment variable or "default".

    Raises
    ------
    SettingsError
        As `load` does.
    """
    settings = load(configuration, file)
    _, values = _configuration(find_file(file), configuration)
    environment = EnvSettingsSource(Settings)()
    rows = []
    for keys, value, meaning in _leaves(settings):
        source = "default"
        if _given(environment, keys):
            source = "environment TIDES_" + "__".join(keys).upper()
        elif _given(values, keys):
            source = str(find_file(file))
        rows.append((".".join(keys), _shown(value), source, meaning))
    return rows


def shown_address(address: str) -> str:
    """
    Give an address as people may see it: without the user and password that it may hold.

    >>> shown_address("https://user@host/api")
    'https://********@host/api'
    """
    return re.sub(r"//[^/\s]*@", "//********@", address)


def secrets_in(values: dict[str, Any]) -> list[str]:
    """List the keys of one configuration's file content that hold a secret."""
    secret = [("lasairToken",), ("tidesDBpass",), ("fourmost", "token"), ("broker", "options", "sasl.password")]
    return [".".join(keys) for keys in secret if _given(values, keys)]


def _configuration(file: Path, name: str | None) -> tuple[str, dict[str, Any]]:
    """Read the named configuration of a file as it is written there."""
    content = read_blocks(file)
    names = ", ".join(map(str, content))
    name = name or os.environ.get("TIDES_CONFIG") or (names if len(content) == 1 else DEFAULT_CONFIGURATION)
    if name not in content:
        raise SettingsError(str(file), name, f"no such configuration; there are: {names}")
    return name, content[name]


def _first_problem(error: ValidationError) -> tuple[list[str], str]:
    """Give the keys and the text of the first thing that pydantic found."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    problem = {"extra_forbidden": "unknown key", "missing": "is missing"}.get(first["type"], first["msg"])
    return [str(part) for part in first["loc"]], problem


def _settings_error(error: ValidationError, file: Path, name: str) -> SettingsError:
    """Make one clear error of the first thing that pydantic found."""
    keys, problem = _first_problem(error)
    if _given(EnvSettingsSource(Settings)(), keys):
        return SettingsError("environment", "TIDES_" + "__".join(keys).upper(), problem)
    return SettingsError(str(file), ".".join([name, *keys]), problem)


def _unknown_variables() -> list[str]:
    """List the variables of the environment that look like ours and are not."""
    known = {f"TIDES_{field.alias}".upper() for field in Settings.model_fields.values()} | {
        "TIDES_SETTINGS",
        "TIDES_CONFIG",
    }
    ours = [name for name in os.environ if name.upper().startswith("TIDES_")]
    return sorted(name for name in ours if name.upper().partition("__")[0] not in known)


def _selection_file(settings: Settings, file: Path) -> Path:
    """Resolve the selection file beside the settings file; the shipped one where none is named and none lies there."""
    path = file.parent / settings.select_function_path
    if not path.exists() and "select_function_path" not in settings.model_fields_set:
        return shipped("selectionFunctions.yaml")
    return path


def _leaves(section: BaseModel, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object, str]]:
    """Walk all settings of a tree with their dotted YAML keys."""
    for name, field in type(section).model_fields.items():
        keys, value = (*above, field.alias or name), getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, keys)
        else:
            yield keys, value, field.description or ""


def _given(values: object, keys: tuple[str, ...] | list[str]) -> bool:
    """Tell whether nested content has a key, whatever its capitals (the environment has none)."""
    for key in keys:
        if not isinstance(values, dict):
            return False
        found = [value for name, value in values.items() if str(name).lower() == key.lower()]
        if not found:
            return False
        values = found[0]
    return values is not None


def _shown(value: object) -> str:
    """Write a value as a person would; never a secret."""
    if isinstance(value, SecretStr):
        return "********"
    if isinstance(value, timedelta):
        for unit in ("days", "hours", "minutes"):
            if value >= timedelta(**{unit: 2}):
                return f"{value / timedelta(**{unit: 1}):g} {unit}"
        return f"{value.total_seconds():g} seconds"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None else shown_address(str(value))
