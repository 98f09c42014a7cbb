"""
The settings: one frozen tree, read once a run from flowSetting.yaml and the environment, and passed down.

This is the only module that reads either. The environment wins over the file, the file over the defaults. YAML keys
keep the spelling of D3.3.4 (``groupID``, ``lasairToken``, ``tidesDBUser``); in Python they are snake_case.
"""

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from pydantic import (
    AwareDatetime,
    BaseModel,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableVariable

from tides_bridge.errors import SettingsError
from tides_bridge.lightcurves.photometry import mjd_from_time
from tides_bridge.resources import data_folder, shipped
from tides_bridge.settings.sections import (
    BackupSettings,
    BrokerName,
    BrokerSettings,
    DaskSettings,
    DatabaseSettings,
    DecisionSettings,
    FourmostSettings,
    GroupID,
    HostSettings,
    LightCurveSettings,
    NoticesSettings,
    OneBroker,
    PageSettings,
    PrefectSettings,
    SpectrumSettings,
    TargetSettings,
    Text,
    WatchdogSettings,
)
from tides_bridge.settings.tom import TomSettings
from tides_bridge.settings.wrong import is_given, settings_error, unreadable
from tides_bridge.settings.yaml_blocks import read_blocks

logger = logging.getLogger(__name__)

DEFAULT_FILE = "flowSetting.yaml"
DEFAULT_CONFIGURATION = "devConfig"
DEMO = "demo"
"""The configuration of the stand-ins of ``tides up``: no settings file need have it."""


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

    brokers: dict[BrokerName, OneBroker] = Field(
        {}, description="several brokers by name, in place of topic, lasairToken, broker and lightCurves"
    )
    topic: Text | None = Field(
        None, validate_default=True, description="the Kafka topic: at Lasair, the name of a filter"
    )
    group_id: GroupID = Field(alias="groupID", description="the bookmark in the stream")
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
    spectra: SpectrumSettings = SpectrumSettings()
    hosts: HostSettings = HostSettings()
    fourmost: FourmostSettings = FourmostSettings()
    tom: TomSettings = TomSettings()
    prefect: PrefectSettings = PrefectSettings()
    page: PageSettings = PageSettings()
    backup: BackupSettings = BackupSettings()
    notices: NoticesSettings = NoticesSettings()
    watchdog: WatchdogSettings = WatchdogSettings()

    @field_validator("topic")
    @classmethod
    def _topic_or_brokers(cls, topic: str | None, others: ValidationInfo) -> str | None:
        """Ask for a topic, unless each of several brokers has its own."""
        if topic is None and not others.data.get("brokers"):
            raise PydanticCustomError("missing", "is missing")
        if topic is not None and others.data.get("brokers"):
            raise ValueError("the brokers listed under brokers have topics of their own: leave this one out")
        return topic

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

    def each_broker(self) -> list["Settings"]:
        """
        Give settings for each broker, as if it were the only one.

        >>> common = {"groupID": 1, "selectFunction": "tidesSNLSSTSelect"}
        >>> brokers = {"lasair": {"topic": "a"}, "rubin": {"kind": "rubin", "topic": "b"}}
        >>> [(each.broker_name, each.topic) for each in Settings(**common, brokers=brokers).each_broker()]
        [('lasair', 'a'), ('rubin', 'b')]
        """
        return [
            self.model_copy(
                update={
                    "brokers": {name: broker},
                    "broker": broker,
                    "topic": broker.topic,
                    "group_id": broker.group_id or self.group_id,
                    "lasair_token": broker.token or self.lasair_token,
                    "light_curves": broker.light_curves,
                }
            )
            for name, broker in self.brokers.items()
        ] or [self]

    @property
    def broker_name(self) -> str:
        """What the broker of these settings is called in the tables: its name under ``brokers``, else its kind."""
        return next(iter(self.brokers), self.broker.kind)

    def time(self) -> datetime:
        """Give the time the bridge works at: the clock, or ``now`` where that is set."""
        return self.now or datetime.now(UTC)

    def now_mjd(self) -> float:
        """Give that time as MJD [d, UTC]."""
        return mjd_from_time(self.time())

    def latest_mjd(self) -> float:
        """Give the latest epoch that can be true [d, UTC]: some grace after now."""
        return self.now_mjd() + self.targets.future_grace / timedelta(days=1)


def find_file(file: Path | None = None, configuration: str | None = None) -> Path:
    """
    Give the settings file: the one asked for, else $TIDES_SETTINGS, else flowSetting.yaml in this folder.

    For the configuration ``demo``, if that file lacks it, it is the one that the stand-ins of ``tides up`` write.

    Parameters
    ----------
    file
        From the command line.
    configuration
        From the command line; else ``$TIDES_CONFIG``.

    Returns
    -------
    Path
        Which may not be there: reading it says so, by its name.
    """
    found = Path(file or os.environ.get("TIDES_SETTINGS") or DEFAULT_FILE)
    is_demo = (configuration or os.environ.get("TIDES_CONFIG")) == DEMO
    return demo_file() if file is None and is_demo and not _has(found, DEMO) else found


def demo_file() -> Path:
    """Give the settings file that the stand-ins of ``tides up`` write, in the folder that is theirs."""
    return data_folder() / DEMO / "settings.yaml"


def load_settings(configuration: str | None = None, file: Path | None = None) -> Settings:
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
    file = find_file(file, configuration)
    if file == demo_file() and not file.exists():
        raise SettingsError(str(file), "", "no such file: make up, or tides up --config demo, writes it")
    if not file.exists():
        raise SettingsError(str(file), "", "no such file: tides init writes one")
    name, values = _configuration(file, configuration)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise settings_error(error, Settings, file, name) from None
    except UnreadableVariable as error:
        raise unreadable(error, Settings) from None
    known = {f"TIDES_{field.alias}".upper() for field in Settings.model_fields.values()} | {
        "TIDES_SETTINGS",
        "TIDES_CONFIG",
    }
    ours = [name for name in os.environ if name.upper().startswith("TIDES_")]
    for variable in sorted(name for name in ours if name.upper().partition("__")[0] not in known):
        logger.warning("an environment variable that is no setting: is it misspelt? name=%s", variable)
    for key in () if name == DEMO else secrets_in(values):  # which has those of stand-ins
        logger.warning("a secret is written in a file: better the environment, file=%s key=%s.%s", file, name, key)
    return settings.model_copy(update={"select_function_path": _selection_file(settings, file)})


def configuration_name(configuration: str | None = None, file: str | None = None) -> str:
    """
    Give the name that `load_settings` would take, for a title: "bridge" if the settings are wrong.

    Parameters
    ----------
    configuration
        From the command line.
    file
        From the command line.
    """
    try:
        return _configuration(find_file(Path(file) if file else None, configuration), configuration)[0]
    except SettingsError:
        return configuration or "bridge"


def provenance(configuration: str | None = None, file: Path | None = None) -> list[tuple[str, str, str, str]]:
    """
    List every setting in force.

    Parameters
    ----------
    configuration
        Its name in the file; None for the only or the chosen one.
    file
        Of settings; None for the usual places.

    Returns
    -------
    list of (key, value, source, meaning)
        Dotted YAML keys; secrets masked; the source is the file, an environment variable or "default".

    Raises
    ------
    SettingsError
        As `load_settings` does.
    """
    settings = load_settings(configuration, file)
    file = find_file(file, configuration)
    _, values = _configuration(file, configuration)
    environment = EnvSettingsSource(Settings)()
    rows = []
    for keys, value, meaning in _leaves(settings):
        source = "default"
        if is_given(environment, keys):
            source = "environment TIDES_" + "__".join(keys).upper()
        elif is_given(values, keys):
            source = str(file)
        rows.append((".".join(keys), _shown(value), source, meaning))
    return rows


def shown_settings(settings: Settings) -> dict[str, str]:
    """
    Give all settings as `provenance` shows them, by dotted YAML key; secrets are masked.

    Parameters
    ----------
    settings
        Those in force.
    """
    return {".".join(keys): _shown(value) for keys, value, _ in _leaves(settings)}


def page_address(settings: Settings) -> str:
    """Give the address of the bridge's own page, as links have it: without a slash at its end."""
    host = f"[{settings.page.host}]" if ":" in settings.page.host else settings.page.host
    return (settings.page.address or f"http://{host}:{settings.page.port}").rstrip("/")


def target_page(settings: Settings, name: str) -> str:
    """
    Give the address of the page of a target.

    Parameters
    ----------
    settings
        Its ``page.address``, or where the page runs.
    name
        Of the target.

    Examples
    --------
    >>> target_page(Settings(topic="t", groupID=1, selectFunction="f"), "TiDES26aab")
    'http://127.0.0.1:4280/targets/TiDES26aab'
    """
    return f"{page_address(settings)}/targets/{quote(name, safe='')}"


def page_hosts(settings: Settings) -> set[str]:
    """
    Give the hosts under which the bridge's own page is reached, in lower case.

    Parameters
    ----------
    settings
        Where it listens, and its address for people; this machine's own names are always among them.

    Examples
    --------
    >>> common = {"topic": "t", "groupID": 1, "selectFunction": "f"}
    >>> sorted(page_hosts(Settings(**common, page={"address": "https://Bridge.example.org/tides"})))
    ['127.0.0.1', '::1', 'bridge.example.org', 'localhost']
    """
    hosts = {"localhost", "127.0.0.1", "::1", settings.page.host.lower()}
    with contextlib.suppress(ValueError):  # an address that no browser takes either
        hosts.add(urlsplit(page_address(settings)).hostname or "localhost")
    return hosts


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
    secret += [("watchdog", "notify"), ("watchdog", "heartbeat"), ("spectra", "classesFrom"), ("tom", "token")]
    brokers = values.get("brokers")
    for name in brokers if isinstance(brokers, dict) else ():
        secret += [("brokers", name, "token"), ("brokers", name, "options", "sasl.password")]
    return [".".join(keys) for keys in secret if is_given(values, keys)]


def _has(file: Path, name: str) -> bool:
    """Tell whether a file has a configuration; one that cannot be read has none."""
    try:
        return name in read_blocks(file)
    except SettingsError:
        return False


def _configuration(file: Path, name: str | None) -> tuple[str, dict[str, Any]]:
    """Read the named configuration of a file as it is written there."""
    content = read_blocks(file)
    names = ", ".join(map(str, content))
    name = name or os.environ.get("TIDES_CONFIG") or (names if len(content) == 1 else DEFAULT_CONFIGURATION)
    if name not in content:
        raise SettingsError(str(file), name, f"no such configuration; there are: {names}")
    return name, content[name]


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
        parts = value if isinstance(value, dict) else {}
        if isinstance(value, BaseModel):
            yield from _leaves(value, keys)
        elif any(isinstance(part, BaseModel) for part in parts.values()):
            for key, part in parts.items():
                yield from _leaves(part, (*keys, key))
        else:
            yield keys, value, field.description or ""


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
