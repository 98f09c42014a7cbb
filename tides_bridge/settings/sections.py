"""
The sections of the settings, each a frozen model, and the types of their values; `tree` joins them.

Every key has a sentence that says what it is: `tides settings` prints it.
"""

import json
import re
import sys
from datetime import date, time, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from tides_bridge.lightcurves.photometry import PHOTOMETRIC_SYSTEMS, Band

PLAIN_DURATION = re.compile(
    r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(?:\s*(second|minute|hour|day)s?)?", re.IGNORECASE
)
"""A number, and a unit in words."""


def read_duration(value: object, unit: Literal["seconds", "days"]) -> object:
    """Read "4 days", "1h 30min" or a bare number in the key's own unit."""
    if not isinstance(value, int | float | str):
        return value
    try:
        duration = _duration(str(value).strip(), unit)
    except (ValueError, OverflowError, AttributeError):  # the last from NaT
        raise ValueError("not a duration: write it as 5 days or 30 seconds") from None
    if duration < timedelta(0):
        raise ValueError("a duration must not be negative")
    return duration


def _duration(words: str, unit: str) -> timedelta:
    plain = PLAIN_DURATION.fullmatch(words)
    if plain:
        return timedelta(**{f"{plain[2].lower()}s" if plain[2] else unit: float(plain[1])})
    from pandas import Timedelta  # reads all other ways to write one; slow to import

    return Timedelta(re.sub(r"(?<=[\d\s])d\b", "D", words)).to_pytimedelta()  # Pandas wants a capital


def text_of_number(value: object) -> object:
    """Take a number for text, as in ``groupID: 123456``."""
    return str(value) if type(value) in (int, float, bool) else value


def refuse_flag(value: object) -> object:
    """Refuse true and false for a number: to Python they are 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def read_json_text(value: object) -> object:
    """Read a list, or keys with values, that the environment gives as text."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError('must be JSON, as ["a", "b"] or {"r": 22.5}') from None


def refuse_bare_number(value: object) -> object:
    """Refuse a number: YAML makes one of 14:30 without quotation marks, 870, which would be taken for seconds."""
    if isinstance(value, int | float):
        raise ValueError('not a time of day: write it with quotation marks, as "14:30"')
    return value


Seconds = Annotated[timedelta, BeforeValidator(partial(read_duration, unit="seconds"))]
Days = Annotated[timedelta, BeforeValidator(partial(read_duration, unit="days"))]
PositiveInt = Annotated[int, BeforeValidator(refuse_flag), Field(gt=0)]
Number = Annotated[float, BeforeValidator(refuse_flag), Field(allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]
GroupID = Annotated[Text, BeforeValidator(text_of_number), BeforeValidator(refuse_flag)]
BrokerName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]
Address = Annotated[str, Field(pattern=r"^https?://[^/\s]+")]
SystemBand = Annotated[str, Field(pattern=rf"^({'|'.join(sorted(set(PHOTOMETRIC_SYSTEMS.values())))})_[ugrizy]$")]


class Section(BaseModel):
    """A section of a configuration: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, alias_generator=to_camel)


class BrokerSettings(Section):
    """Where alerts come from."""

    kind: Text = Field("lasair_ztf", description="which broker's messages these are: see docs/brokers.md")
    bootstrap_servers: Text = Field("kafka.lsst.ac.uk:9092", description="Kafka host:port[,host:port]")
    silence: Seconds = Field(timedelta(seconds=5), description="a stream this long without a message is at its end")
    longest_pull: Seconds = Field(timedelta(minutes=45), description="a run takes no new batch after this time")
    batch_size: PositiveInt = Field(5000, description="messages that are decided and stored together, at most")
    batch_bytes: PositiveInt = Field(150_000_000, description="[bytes] and no more than about so much of them")
    options: dict[str, Annotated[SecretStr, BeforeValidator(text_of_number)]] = Field(
        {}, description="any librdkafka option, such as security.protocol; shown masked, as some are secret"
    )
    schemas: Path | None = Field(None, description="Avro schema, or a folder of them, for messages that bring none")
    schema_registry: Address | None = Field(None, description="where other schemas are asked for, as https://host")
    zero_point: Number | None = Field(None, description="[mag] of ELAsTiCC's psFlux; empty: 31.4, nJy")
    files: tuple[Path, ...] = Field((), description="recorded alerts, for the kind recorded: files and folders")


class LightCurveSettings(Section):
    """Where light curves come from."""

    address: Address = Field("https://lasair-ztf.lsst.ac.uk/api", description="base address of the light-curve API")
    objects_per_call: Annotated[int, Field(ge=1, le=50)] = Field(50, description="objects a call, at most")
    calls_per_hour: PositiveInt = Field(100, description="calls that the account may make in any hour")
    timeout: Seconds = Field(timedelta(seconds=60), gt=timedelta(0), description="time to wait for an answer")
    longest_wait: Seconds = Field(
        timedelta(minutes=2), description="a run waits that long for calls to become free again"
    )
    try_again_after: Seconds = Field(
        timedelta(minutes=30), description="an object without light curve is tried again then; twice as long each time"
    )
    give_up_after: Days = Field(timedelta(days=14), description="an object without light curve is given up then")


class OneBroker(BrokerSettings):
    """One of several brokers: what else is said once where there is one."""

    topic: Text = Field(description="its Kafka topic")
    group_id: Annotated[Text | None, BeforeValidator(text_of_number), BeforeValidator(refuse_flag)] = Field(
        None, alias="groupID", description="its bookmark in the stream; empty: groupID"
    )
    token: SecretStr | None = Field(None, description="key to its light-curve API")
    light_curves: LightCurveSettings = Field(LightCurveSettings(), description="where its light curves come from")


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
    """How long decisions are kept, and which of their light curves."""

    keep_for: Days | None = Field(
        None, ge=timedelta(days=31), description="months of decisions that ended longer ago are dropped; empty: none is"
    )
    light_curves: Literal["all", "near", "targets"] = Field(
        "targets", description="whose are kept as decided on: near adds those that lack one criterion"
    )


class GuardSettings(Section):
    """What a run does by itself; more waits for ``tides release-guard``."""

    share: Number = Field(0.2, ge=0, le=1, description="of the active targets may change at once; 1 never holds back")
    at_least: int = Field(20, ge=0, description="so many targets may, however few there are")
    move: Number = Field(2, gt=0, description="[arcsec] a position that changes by more counts")
    magnitude: Number = Field(2, gt=0, description="[mag] a magnitude that changes by more counts")

    def most(self, targets: int) -> int:
        """Tell how many of so many targets may change at once; none may be active, and all come back."""
        return sys.maxsize if self.share == 1 else max(self.at_least, int(self.share * targets))


class TargetSettings(Section):
    """What targets are called, and how long they stay targets."""

    name_prefix: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,19}$")] = Field(
        "TiDES", description="names begin so; of several bridges on one survey each needs its own"
    )
    rule: Literal["days", "predicted"] | None = Field(
        None, description="when a target is switched off; empty: days if deactivateAfter is set, else predicted"
    )
    deactivate_after: Days = Field(
        timedelta(days=5),
        description="by the rule days: without a detection for so long; predicted asks where it knows nothing",
    )
    unlooked_after: Days = Field(
        timedelta(days=20), description="by the rule predicted: without a detection, a limit or forced photometry"
    )
    faint_limit: Annotated[dict[Band, Number], BeforeValidator(read_json_text)] = Field(
        dict.fromkeys(get_args(Band), 22.5),
        description="[mag] switched off when fainter, in every band that was looked at lately, or on the coming night",
    )
    keep_unselected: bool = Field(True, description="a target stays one when it satisfies the function no longer")
    steady_after: Days = Field(
        timedelta(days=90),
        description="a target that has not faded so long after its brightest is a question: is it a supernova?",
    )
    drop_steady: bool = Field(False, description="and is switched off, until a person forces it")
    future_grace: Days = Field(
        timedelta(days=1), description="a detection later than now by more is none: no clock is as wrong"
    )
    tns_no_supernova: Literal["tell", "ask", "veto"] = Field(
        "ask", description="a target that is a star or AGN at the Transient Name Server: is told, asked about, vetoed"
    )
    tns_classified: Literal["tell", "ask", "hold"] = Field(
        "tell", description="one of another type there, so with a spectrum elsewhere: is told, asked about, held"
    )
    guard: GuardSettings = GuardSettings()

    @property
    def life_rule(self) -> Literal["days", "predicted"]:
        """The rule by which targets are switched off."""
        return self.rule or ("days" if "deactivate_after" in self.model_fields_set else "predicted")

    @property
    def longest_unseen(self) -> timedelta:
        """How long a target may stay one without a detection."""
        return self.deactivate_after if self.life_rule == "days" else self.unlooked_after


class SpectrumSettings(Section):
    """Where deliveries of spectra lie, and when a target has enough of them."""

    folder: Path | None = Field(
        None, description="deliveries of one environment, as deliveries/prod/<night>/*.fits; empty: none are looked for"
    )
    snr: Number = Field(5, gt=0, description="a target needs a spectrum so good to be done")
    visits: PositiveInt = Field(1, description="and so many visits that gave a spectrum, good or not")
    wavelengths: tuple[Number, Number] | None = Field(
        None, description="[Angstrom] the S/N is worked out in this range; empty: that of the file counts"
    )

    class_confidence: Number | None = Field(
        None,
        gt=0,
        le=1,
        description="a class so sure ends a target, too, a person's is 1 if none is given; empty: none",
    )
    classes_from: SecretStr | None = Field(
        None,
        description="database with classes of tides_pipe or the TOM, as "
        "postgresql://user:password@host/name",  # pragma: allowlist secret
    )

    @field_validator("wavelengths")
    @classmethod
    def _lower_first(cls, edges: tuple[float, float] | None) -> tuple[float, float] | None:
        if edges is not None and not 0 < edges[0] < edges[1]:
            raise ValueError("must be [lower, upper]")
        return edges


class ExposureTimes(Section):
    """Exposure times [min] in dark, grey, bright and superbright sky."""

    d: Number = Field(38, ge=0, description="[min] dark sky")
    g: Number = Field(38, ge=0, description="[min] grey sky")
    b: Number = Field(4300, ge=0, description="[min] bright sky")
    s: Number = Field(4300, ge=0, description="[min] superbright sky")


class HostSettings(Section):
    """When the galaxies that targets lie in are targets of their own, and how they are described to 4MOST."""

    wanted: bool = Field(False, description="hosts are targets, while their transients are off and faded")
    per_target: PositiveInt = Field(3, le=3, description="so many of the likeliest galaxies of each target")
    unseen_for: Days = Field(timedelta(days=50), description="a transient has faded that was not seen for so long,")
    faint_limit: Number = Field(24, description="[mag] or that every band of LSST saw fainter than this")
    subsurvey: str = Field("tides-hosts", max_length=256, description="as in the survey catalogue")
    template: str = Field(
        "SF_col00pt780_mass09pt88_sfr02pt00_z00pt225.fits", max_length=256, description="spectral template"
    )
    ruleset: str = Field("tides_hostsMay2024", max_length=256, description="success criteria")
    classification: str = Field("GAL", pattern=r"^([A-Z]{3}(, ?[A-Z]{3}){0,2})?$", description="up to three codes")
    extent_flag: int = Field(0, ge=0, le=1, description="0 point, 1 flat")
    cadence: int = Field(0, ge=0, lt=2**22, description="cadence flags")
    date_latest: Number = Field(2462865.0, gt=2400000, description="[JD] wanted until then")
    exposure_times: ExposureTimes = Field(ExposureTimes(), description="[min] by sky brightness")


class ColourTerm(Section):
    """One way to the magnitude of ``magType`` from another: m(from) + zeroPoint + slope * (m(first) - m(second))."""

    from_band: SystemBand = Field(alias="from", description="the magnitude that is converted, as ZTF_r")
    zero_point: Number = Field(0.0, description="[mag] is added")
    slope: Number = Field(0.0, description="[mag/mag] times the colour is added")
    colour: tuple[SystemBand, SystemBand] | None = Field(None, description="first minus second, as [ZTF_g, ZTF_r]")
    valid_colours: tuple[Number, Number] | None = Field(None, description="[mag] where the term holds")
    max_colour_age: Days = Field(timedelta(days=5), description="the magnitudes used lie within this time")
    source: Annotated[str, Field(pattern=r"\S")] = Field(description="where the numbers come from")

    @model_validator(mode="after")
    def _colour_if_needed(self) -> "ColourTerm":
        if (self.colour is None) != (self.valid_colours is None) or (self.slope and self.colour is None):
            raise ValueError("a slope needs colour and validColours, and these need each other")
        if self.colour and self.colour[0] == self.colour[1]:
            raise ValueError("a colour is of two bands")
        if self.valid_colours and not self.valid_colours[0] < self.valid_colours[1]:
            raise ValueError("validColours must be [lower, upper]")
        return self

    def __str__(self) -> str:
        """Write the term as a formula, such as ZTF r + 0.002 + 0.084 (ZTF g - ZTF r)."""
        parts = [self.from_band, "-" if self.zero_point < 0 else "+", f"{abs(self.zero_point):g}"]
        if self.colour and self.slope:
            parts += ["-" if self.slope < 0 else "+", f"{abs(self.slope):g}", f"({' - '.join(self.colour)})"]
        return " ".join(parts).replace("_", " ")


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
    colour_terms: Annotated[tuple[ColourTerm, ...], BeforeValidator(read_json_text)] = Field(
        (), description="tried in order for a target without a magnitude in that band; refused if none fits"
    )
    max_magnitude_age: Days = Field(
        timedelta(days=1), description="a measured magnitude is sent while it is younger, later the predicted one"
    )
    classification: str = Field("TRA", pattern=r"^([A-Z]{3}(, ?[A-Z]{3}){0,2})?$", description="up to three codes")
    epoch: float = Field(2000.0, ge=1950, le=2050, description="[yr] of the position")
    resolution: Literal[1, 2] = Field(1, description="1 is LRS, 2 is HRS")
    page_size: PositiveInt = Field(100, description="targets a call")
    connections: Annotated[int, Field(ge=1, le=32)] = Field(8, description="calls at the same time")
    timeout: Seconds = Field(timedelta(seconds=15), gt=timedelta(0), description="time to wait for an answer")
    exchange_every: Seconds = Field(
        timedelta(minutes=10), description="a long run tells 4MOST so often what is new, not only at its end"
    )

    respected: tuple[
        Literal[
            "is_active",
            "mag",
            "mag_type",
            "template",
            "ruleset",
            "cadence",
            "classification",
            "resolution",
            "t_exp_d",
            "t_exp_g",
            "t_exp_b",
            "t_exp_s",
            "date_earliest",
            "date_latest",
        ],
        ...,
    ] = Field(("is_active",), description="columns that stay as somebody has set them there; others are set right")

    @field_validator("colour_terms")
    @classmethod
    def _no_other_band(cls, terms: tuple[ColourTerm, ...], others: ValidationInfo) -> tuple[ColourTerm, ...]:
        """Refuse a constant between two bands: that would send another band's magnitude."""
        wanted = others.data.get("mag_type", "")
        for term in terms:
            if wanted and not term.slope and term.from_band[-1] != wanted.split("_")[1]:
                raise ValueError(f"{term.from_band} is another band than {wanted}: it needs slope and colour")
        return terms


class PrefectSettings(Section):
    """The Prefect server that a run from the shell starts for itself, where no other is named."""

    server_start: Annotated[Days, Field(ge=timedelta(seconds=1))] = Field(
        timedelta(minutes=3), description="so long it may take to start; Prefect's own variable for it wins"
    )


class PageSettings(Section):
    """The bridge's own page: metrics, and light curves of targets."""

    host: Text = Field("127.0.0.1", description="tides page listens at this address only")
    port: Annotated[int, Field(gt=0, le=65535)] = Field(4280, description="and this port")
    address: Address | None = Field(None, description="how people reach it; empty: http://host:port")
    login: Literal["none", "rulings", "all"] = Field("none", description="what takes an account: docs/access.md")
    proxy_header: Text | None = Field(None, description="in which a proxy on this machine names the account")
    requests_per_minute: PositiveInt = Field(600, description="of each account or address, where others reach the page")


class BackupSettings(Section):
    """Copies of the database."""

    folder: Path | None = Field(None, description="where they go; empty: backups beside the embedded database")
    keep: PositiveInt = Field(14, description="so many of the newest are kept")


class NoticesSettings(Section):
    """What people are told of targets, by their subscriptions."""

    digest_at: Annotated[time, BeforeValidator(refuse_bare_number)] = Field(
        time(14, 0), lt=time(15, 0), description="Berlin time from which the digest of a night is sent; before 15:00"
    )


class WatchdogSettings(Section):
    """When somebody is called, and how."""

    notify: Annotated[tuple[SecretStr, ...], BeforeValidator(read_json_text)] = Field(
        (), description="whom to tell: addresses of Apprise, as mailtos://example.org?user=me&pass=secret"
    )
    prefect: Address | None = Field(
        None, description="API of the Prefect server; empty: PREFECT_API_URL, or http://127.0.0.1:4200/api"
    )
    pool: Text = Field("tides", description="the work pool whose workers are looked at")
    no_good_run_for: Seconds = Field(timedelta(hours=3), description="since the last good run of each broker")
    worker_silent_for: Seconds = Field(timedelta(minutes=3), description="since the last sign of life of a worker")
    backlog_older_than: Seconds = Field(timedelta(hours=2), description="since 4MOST should have been told something")
    nothing_received_for: Seconds = Field(
        timedelta(hours=36), description="since a broker's newest alert, though others send some"
    )
    nothing_at_all_for: Days = Field(timedelta(days=5), description="since the newest alert of any broker")
    exchange_by: Annotated[time, BeforeValidator(refuse_bare_number)] = Field(
        time(14, 30), description="Berlin time by which a day has had a good exchange"
    )
    no_backup_for: Seconds = Field(timedelta(hours=36), description="since the last good backup")
    disk_free: Annotated[float, Field(ge=0, le=100)] = Field(10, description="[%] of each disk that must be free")
    expires_within: Days = Field(timedelta(days=14), description="before a certificate or a token ends")
    lasair_token_ends: date | None = Field(None, description="day on which lasairToken ends, as 2027-01-31")
    fourmost_token_ends: date | None = Field(None, description="day on which fourmost.token ends")
    heartbeat: SecretStr | None = Field(None, description="address that is asked for each time the watchdog has looked")
    state: Path | None = Field(None, description="file in which it keeps what was told; empty: in the user's state")
