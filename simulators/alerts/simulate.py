"""
The simulated sky as files of alerts, in the form of any survey or broker: what ``tides simulate`` writes.

::

    OUTPUT/
      alerts/61231/alert_mjd61231.2345_obj170…_src170….avro    one alert a file, one folder a day, or
      alerts.jsonl                                             one alert a line, or
      alerts.recording                                         Kafka messages: see `simulators.alerts.encoders`
      schema/v10_0/lsst.v10_0.alert.avsc                       where the messages do not bring it
      truth.csv                                                what objects truly are: tides backtest --truth

Names sort by time. The same seed gives the same bytes.
"""

import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simulators.alerts import lsst_packets, packets
from simulators.alerts.avro_schemas import ELASTICC_VERSIONS, LSST_VERSIONS
from simulators.alerts.broker_forms import IMAGES
from simulators.alerts.encoders import (
    FORMATS,
    USUAL,
    Encoded,
    EncodingOptions,
    Packet,
    encode,
    is_of_object,
    observed_ms,
    write_recording,
)
from simulators.alerts.lsst_packets import LsstPackets
from simulators.sky import Sky
from tides_bridge.errors import SettingsError
from tides_bridge.formats.recording import RecordedMessage
from tides_bridge.lightcurves.photometry import MJD_OF_UNIX

CLASS_NAMES = {"variable star": "RR Lyrae"}
"""What the taxonomy of `formats.meaning` calls a kind of the sky, where it differs; asteroids are in no class of it."""
MEANT_FOR = {
    "lsst_version": ("--schema-version", ("lsst-avro", "rubin", "fink-lsst")),
    "elasticc_version": ("--schema-version", ("elasticc",)),
    "zero_point": ("--zero-point", ("elasticc",)),
    "lasair_mode": ("--lasair-mode", ("lasair-lsst",)),
    "without_alert": ("--without-alert", ("lasair-lsst",)),
}
"""EncodingOptions that change nothing in any other format."""
TRUTH_COLUMNS = ("class", "redshift", "peak_mjd", "peakmag_r", "ra", "dec", "sherlock", "detections")


@dataclass(frozen=True)
class SimulationPlan:
    """
    What is to be simulated.

    Attributes
    ----------
    format
        One of `encoders.FORMATS`.
    objects, nights, first_night, seed
        Of the sky: see `Sky`.
    survey
        ``ztf`` or ``lsst``; empty: that of the format, and ``lsst`` if it has either.
    cutout_bytes
        Size of the images of an alert together [bytes]; 0: none.
    every_detection
        An alert for each detection; else for the last one of an object in a night.
    as_recording
        One recording, whatever the format.
    options
        What can be chosen of the format.
    """

    format: str
    objects: int
    nights: int
    survey: str = ""
    first_night: int = 61230
    seed: int = 1
    cutout_bytes: int = 0
    every_detection: bool = False
    as_recording: bool = False
    options: EncodingOptions = field(default=USUAL)

    @property
    def observed_by(self) -> str:
        """The survey that observes the sky."""
        return self.survey or FORMATS[self.format].survey or "lsst"

    def check(self) -> None:
        """Raise SettingsError, naming the option, if parts of it do not fit together."""
        chosen, options = FORMATS[self.format], self.options
        if chosen.survey not in {self.observed_by, ""}:
            raise SettingsError("--survey", self.survey, f"{self.format} is a format of {chosen.survey}")
        if self.cutout_bytes and not chosen.has_images:
            raise SettingsError("--cutouts", str(self.cutout_bytes), f"{self.format} carries no images")
        for version, known in ((options.lsst_version, LSST_VERSIONS), (options.elasticc_version, ELASTICC_VERSIONS)):
            if version not in known:
                raise SettingsError("--schema-version", version, f"there are {', '.join(known)}")
        for key, (option, forms) in MEANT_FOR.items():
            if getattr(options, key) != getattr(USUAL, key) and self.format not in forms:
                problem = f"is for {', '.join(forms)}, not for {self.format}"
                raise SettingsError(option, str(getattr(options, key)), problem)


@dataclass(frozen=True)
class Written:
    """
    What was written.

    Attributes
    ----------
    alerts, objects
        How many, and how many objects the truth table lists.
    left_out
        Alerts about known asteroids, which the format does not send.
    bytes
        Size of all messages.
    place
        The file or folder that has the alerts.
    schema
        The file with the schema that a reader needs, if it needs one.
    """

    alerts: int
    objects: int
    left_out: int
    bytes: int
    place: Path
    schema: Path | None


def write_simulated_alerts(plan: SimulationPlan, output: Path) -> Written:
    """
    Write the alerts of a simulated sky, in the order of time, and what is true of its objects.

    Parameters
    ----------
    plan
        What is wanted.
    output
        A folder, which must be empty or not exist.

    Raises
    ------
    SettingsError
        If the plan cannot be, or the folder holds something or cannot be written.
    """
    plan.check()
    try:
        output.mkdir(parents=True, exist_ok=True)
        if any(output.iterdir()):
            raise SettingsError("--output", str(output), "holds files: name an empty folder, or a new one")
        return _simulate(plan, output)
    except OSError as problem:
        raise SettingsError("--output", str(output), f"cannot be written: {problem.strerror or problem}") from None


def sky_of(plan: SimulationPlan) -> Sky:
    """Make the sky of a plan."""
    return Sky(plan.seed, plan.observed_by, objects=plan.objects, first_night=plan.first_night, nights=plan.nights)


def alerts_in_time(plan: SimulationPlan, sky: Sky) -> Iterator[Packet]:
    """Write the packets of all alerts in the order of time; none is held."""
    if sky.survey.name == "lsst":
        rubin = LsstPackets(sky, plan.options.lsst_version, plan.cutout_bytes)
        yield from (rubin.packet(number, visit) for number, visit in detections_in_time(sky, plan.every_detection))
        return
    for number, visit in detections_in_time(sky, plan.every_detection):
        yield packets.packet_of(sky, number, visit) | _images(plan, number, visit)


def detections_in_time(sky: Sky, every: bool = False) -> Iterator[tuple[int, int]]:
    """
    List which objects were detected when: number of the object, and visit in its light curve.

    Parameters
    ----------
    sky
        The sky.
    every
        Each detection; else the last one of an object in a night.
    """
    found: list[tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]] = []
    for thing in sky.objects:
        curve = sky.light_curve(thing.number)
        seen = np.flatnonzero(curve.detected)
        if not every:
            seen = seen[np.diff(curve.night[seen], append=-1) != 0]
        found.append((curve.mjd_utc[seen], np.column_stack([np.full(seen.size, thing.number), seen])))
    if found:
        mjd, places = (np.concatenate([pair[column] for pair in found]) for column in (0, 1))
        # Objects of one field share their epochs: the sort keeps the order of numbers.
        yield from ((int(number), int(visit)) for number, visit in places[np.argsort(mjd, kind="stable")])


def truth_of(sky: Sky) -> Iterator[dict[str, Any]]:
    """List what is true of each object that had an alert, in the columns that `tides_bridge.archives.truth` reads."""
    rows = lsst_packets.lsst_truth(sky) if sky.survey.name == "lsst" else packets.ztf_truth(sky)
    for row in rows:
        name = "diaObjectId" if "diaObjectId" in row else "objectId"
        is_supernova = bool(row["redshift"])
        yield {
            name: row[name],
            "class": CLASS_NAMES.get(row["kind"], row["kind"]),
            "redshift": round(row["redshift"], 5) if is_supernova else "",
            "peak_mjd": round(row["peak_mjd"], 5) if is_supernova else "",
            "peakmag_r": round(row["magnitude"], 3) if is_supernova else "",
            **{key: row[key] for key in TRUTH_COLUMNS[4:]},
        }


def _simulate(plan: SimulationPlan, output: Path) -> Written:
    sky, chosen = sky_of(plan), FORMATS[plan.format]
    counts = {"alerts": 0, "left_out": 0, "bytes": 0}

    def messages() -> Iterator[tuple[Packet, Encoded]]:
        for packet in alerts_in_time(plan, sky):
            if chosen.of_objects and not is_of_object(packet):
                counts["left_out"] += 1
                continue
            message = encode(packet, plan.format, plan.options)
            counts["alerts"] += 1
            counts["bytes"] += len(message.value)
            yield packet, message

    place = _write(plan, messages(), output)
    objects = 0
    name = "diaObjectId" if sky.survey.name == "lsst" else "objectId"
    with (output / "truth.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, (name, *TRUTH_COLUMNS), lineterminator="\n")
        writer.writeheader()
        for objects, row in enumerate(truth_of(sky), start=1):  # noqa: B007
            writer.writerow(row)
    return Written(objects=objects, place=place, schema=_write_schema(plan, output), **counts)


def _write(plan: SimulationPlan, messages: Iterator[tuple[Packet, Encoded]], output: Path) -> Path:
    chosen = FORMATS[plan.format]
    if plan.as_recording or not chosen.suffix:
        schema = chosen.schema(plan.options) if chosen.schema else None
        place = output / "alerts.recording"
        recorded = (RecordedMessage(message.value, message.key, observed_ms(packet)) for packet, message in messages)
        write_recording(place, recorded, plan.format, schema)
    elif chosen.is_json:
        place = output / "alerts.jsonl"
        with place.open("wb") as stream:
            stream.writelines(message.value + b"\n" for _, message in messages)
    else:
        place = output / "alerts"
        place.mkdir()
        for packet, message in messages:
            mjd = observed_ms(packet) / 86_400_000 + MJD_OF_UNIX
            day = place / f"{int(mjd)}"
            day.mkdir(exist_ok=True)
            name = f"alert_mjd{mjd:.4f}_obj{_object_of(packet)}_src{_source_of(packet)}{chosen.suffix}"
            content = gzip.compress(message.value, mtime=0) if chosen.suffix.endswith(".gz") else message.value
            (day / name).write_bytes(content)
    return place


def _object_of(packet: Packet) -> str:
    if "diaSource" not in packet:
        return str(packet["objectId"])
    known = packet["diaObject"]
    return str(known["diaObjectId"] if known else packet["diaSource"]["ssObjectId"])


def _source_of(packet: Packet) -> int:
    return int(packet["diaSourceId"] if "diaSource" in packet else packet["candid"])


def _write_schema(plan: SimulationPlan, output: Path) -> Path | None:
    """Write the schema that the messages lack, in a file named as those of the survey are; None: they lack none."""
    make = FORMATS[plan.format].schema
    if make is None:
        return None
    schema = make(plan.options)
    name = str(schema["name"])
    path = output / "schema" / name.split(".")[1] / f"{name}.avsc"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(schema, indent=1) + "\n")
    return path


def _images(plan: SimulationPlan, number: int, visit: int) -> Packet:
    """Make the images of one of ZTF's alerts: noise, which no packing makes smaller."""
    if not plan.cutout_bytes:
        return {}
    noise = np.random.default_rng([plan.seed, 6, number, visit]).bytes(plan.cutout_bytes)
    third = plan.cutout_bytes // 3
    return dict(zip(IMAGES, (noise[:third], noise[third : 2 * third], noise[2 * third :]), strict=True))
