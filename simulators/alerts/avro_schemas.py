"""
Avro schemas of what surveys and brokers send, made here from tables of field names and types.

A table has a type and the names that have it in each line; a question mark says that the value may be null. The order
counts: an Avro message without schema can be read with no other. `simulators.alerts.ztf_schemas` has the tables of ZTF.

Sources: lsst/alert_packet 9.0 to 11.0; LSSTDESC/elasticc v0_9 and v0_9_1; alerts of Fink of December 2025; the models
of the babamul client.
"""

import json
import re
from functools import cache
from typing import Any

Field = tuple[str, Any]
"""Name and Avro type."""

LSST_VERSIONS = ("9_0", "10_0", "11_0", "12_0")
"""What `lsst_schema` can make. Rubin has no 12.0 yet: ours has made-up new fields in it, as a new version would."""

ELASTICC_VERSIONS = ("0_9", "0_9_1")

DIA_SOURCE = """
long diaSourceId visit
int detector
long? diaObjectId ssObjectId parentDiaSourceId
double midpointMjdTai ra
float? raErr
double dec
float? decErr ra_dec_Cov
float x
float? xErr
float y
float? yErr
boolean? centroid_flag
float? apFlux apFluxErr
boolean? apFlux_flag apFlux_flag_apertureTruncated isNegative
float? snr psfFlux psfFluxErr psfLnL psfChi2
int? psfNdata
boolean? psfFlux_flag psfFlux_flag_edge psfFlux_flag_noGoodPixels
float? trailFlux trailFluxErr
double? trailRa
float? trailRaErr
double? trailDec
float? trailDecErr trailLength trailLengthErr trailAngle trailAngleErr trailChi2
int? trailNdata
boolean? trail_flag_edge
float? dipoleMeanFlux dipoleMeanFluxErr dipoleFluxDiff dipoleFluxDiffErr dipoleLength dipoleAngle dipoleChi2
int? dipoleNdata
float? scienceFlux scienceFluxErr
boolean? forced_PsfFlux_flag forced_PsfFlux_flag_edge forced_PsfFlux_flag_noGoodPixels
float? templateFlux templateFluxErr ixx iyy ixy ixxPSF iyyPSF ixyPSF
boolean? shape_flag shape_flag_no_pixels shape_flag_not_contained shape_flag_parent_source
float? extendedness reliability
string? band
boolean? isDipole dipoleFitAttempted
double timeProcessedMjdTai
double? timeWithdrawnMjdTai
int? bboxSize
boolean? pixelFlags pixelFlags_bad pixelFlags_cr pixelFlags_crCenter pixelFlags_edge pixelFlags_nodata
boolean? pixelFlags_nodataCenter pixelFlags_interpolated pixelFlags_interpolatedCenter pixelFlags_offimage
boolean? pixelFlags_saturated pixelFlags_saturatedCenter pixelFlags_suspect pixelFlags_suspectCenter pixelFlags_streak
boolean? pixelFlags_streakCenter pixelFlags_injected pixelFlags_injectedCenter pixelFlags_injected_template
boolean? pixelFlags_injected_templateCenter glint_trail
"""

DIA_FORCED_SOURCE = """
long diaForcedSourceId diaObjectId
double ra dec
long visit
int detector
float? psfFlux psfFluxErr
double midpointMjdTai
float? scienceFlux scienceFluxErr
string? band
double timeProcessedMjdTai
double? timeWithdrawnMjdTai
"""

SS_SOURCE = """
long diaSourceId ssObjectId
string? designation
double eclLambda eclBeta galLon galLat
float? elongation phaseAngle topoRange topoRangeRate helioRange helioRangeRate
double? ephRa ephDec
float? ephVmag ephRate ephRateRa ephRateDec ephOffset
double? ephOffsetRa ephOffsetDec
float? ephOffsetAlongTrack ephOffsetCrossTrack helio_x helio_y helio_z helio_vx helio_vy helio_vz helio_vtot
float? topo_x topo_y topo_z topo_vx topo_vy topo_vz topo_vtot
int? diaDistanceRank
"""

SS_SOURCE_9 = """
long? ssObjectId diaSourceId
double? eclipticLambda eclipticBeta galacticL galacticB
float? phaseAngle heliocentricDist topocentricDist predictedVMagnitude
double? residualRa residualDec
float? heliocentricX heliocentricY heliocentricZ heliocentricVX heliocentricVY heliocentricVZ
float? topocentricX topocentricY topocentricZ topocentricVX topocentricVY topocentricVZ
"""

MPC_ORBITS = """
int id
string designation packed_primary_provisional_designation unpacked_primary_provisional_designation
string? mpc_orb_jsonb
timestamp? created_at updated_at
int? orbit_type_int u_param nopp
double? arc_length_total arc_length_sel
int? nobs_total nobs_total_sel
double? a q e i node argperi peri_time yarkovsky srp a1 a2 a3 dt mean_anomaly period mean_motion
double? a_unc q_unc e_unc i_unc node_unc argperi_unc peri_time_unc yarkovsky_unc srp_unc a1_unc a2_unc a3_unc dt_unc
double? mean_anomaly_unc period_unc mean_motion_unc epoch_mjd h g not_normalized_rms normalized_rms earth_moid
timestamp? fitting_datetime
"""

MPCORB_9 = """
string? mpcDesignation
long? ssObjectId
float? mpcH
double? epoch M peri node incl e a q t_p
"""

LSST_BANDS = "ugrizy"

COUNTS = re.compile(r"\w*Ndata|bboxSize")
"""Fields that may be null up to version 10 and may not from 11 on."""

_HOST = """
float? {0}_ellipticity {0}_sqradius {0}_zspec {0}_zspec_err {0}_zphot {0}_zphot_err
float? {0}_zphot_q000 {0}_zphot_q010 {0}_zphot_q020 {0}_zphot_q030 {0}_zphot_q040 {0}_zphot_q050
float? {0}_zphot_q060 {0}_zphot_q070 {0}_zphot_q080 {0}_zphot_q090 {0}_zphot_q100{1}
float? {0}_mag_u {0}_mag_g {0}_mag_r {0}_mag_i {0}_mag_z {0}_mag_Y {0}_ra {0}_dec {0}_snsep
float? {0}_magerr_u {0}_magerr_g {0}_magerr_r {0}_magerr_i {0}_magerr_z {0}_magerr_Y
"""

ELASTICC_OBJECT = """
long diaObjectId
string? simVersion
double ra decl
float? mwebv mwebv_err z_final z_final_err
"""

FINK_LSST_SCORES = """
float? snnSnVsOthers_score
int? cats_class
float? cats_score
double? earlySNIa_score
float? elephant_kstest_science elephant_kstest_template
"""

FINK_LSST_MATCHES = """
string? simbad_otype gaiadr3_DR3Name
float? gaiadr3_Plx gaiadr3_e_Plx
int gaiadr3_VarFlag
float? legacydr8_zphot legacydr8_e_zphot legacydr8_pstar
int? legacydr8_fqual
string? vsx_Type
int? spicy_SPICY
string? spicy_class tns_type gcvs_type x3hsp_type x4lac_type mangrove_HyperLEDA_name mangrove_2MASS_name
float? mangrove_lum_dist mangrove_ang_dist
"""

FINK_LSST_LABELS = """
boolean is_sso
boolean? is_first is_cataloged
int? main_label_classifier
string? main_label_crossmatch
"""

_TYPES: dict[str, Any] = {"timestamp": {"type": "long", "logicalType": "timestamp-micros"}}


def fields_of_table(table: str) -> list[Field]:
    r"""
    Read a table of fields.

    >>> fields_of_table("long a b\ndouble? c")
    [('a', 'long'), ('b', 'long'), ('c', ['null', 'double'])]
    """
    rows = (line.split() for line in table.splitlines() if line.strip())
    return [(name, _type(kind)) for kind, *names in rows for name in names]


def record(name: str, fields: list[Field]) -> dict[str, Any]:
    """Make the schema of a record; what may be null is null where it is not given."""
    return {
        "type": "record",
        "name": name,
        "fields": [
            {"name": key, "type": kind} | ({"default": None} if isinstance(kind, list) and kind[0] == "null" else {})
            for key, kind in fields
        ],
    }


def array_or_null(items: Any) -> list[Any]:
    """Make the type of a list that may be missing."""
    return ["null", {"type": "array", "items": items}]


@cache
def dia_object_fields() -> list[Field]:
    """List the fields of Rubin's ``diaObject``, many of which there are in each band."""
    table = "long diaObjectId\ndouble validityStartMjdTai ra\nfloat? raErr\ndouble dec\nfloat? decErr ra_dec_Cov\n"
    for band in LSST_BANDS:
        table += f"float? {band}_psfFluxMean {band}_psfFluxMeanErr {band}_psfFluxSigma\nint? {band}_psfFluxNdata\n"
        table += f"float? {band}_fpFluxMean {band}_fpFluxMeanErr\n"
    for band in LSST_BANDS:
        table += f"float? {band}_scienceFluxMean {band}_scienceFluxMeanErr\n"
    for band in LSST_BANDS:
        table += f"float? {band}_psfFluxMin {band}_psfFluxMax {band}_psfFluxMaxSlope {band}_psfFluxErrMean\n"
    return fields_of_table(table + "double? firstDiaSourceMjdTai lastDiaSourceMjdTai\nint nDiaSources")


@cache
def lsst_schema(version: str = "10_0") -> dict[str, Any]:
    """
    Make the schema of Rubin's alerts, all in one.

    Parameters
    ----------
    version
        One of `LSST_VERSIONS`.

    Raises
    ------
    ValueError
        If it is none of them.

    >>> lsst_schema("10_0")["name"], len(lsst_schema("10_0")["fields"])
    ('lsst.v10_0.alert', 12)
    """
    if version not in LSST_VERSIONS:
        raise ValueError(f"{version}: no version of Rubin's schema here; there are {', '.join(LSST_VERSIONS)}")
    space, is_nine = f"lsst.v{version}", version == "9_0"
    source, forced, dia_object = fields_of_table(DIA_SOURCE), fields_of_table(DIA_FORCED_SOURCE), dia_object_fields()
    if version in {"11_0", "12_0"}:
        source, dia_object = _counted(source), _counted(dia_object)
    if version == "12_0":
        # In the middle: who reads by position instead of by name fails.
        source = [*source[:6], ("sourceQualityScore", ["null", "float"]), *source[6:], ("crowding", "double")]
        dia_object = [("objectFlags", {"type": "array", "items": "string"}), *dia_object]
    name, table = ("MPCORB", MPCORB_9) if is_nine else ("mpc_orbits", MPC_ORBITS)
    fields: list[Field] = [
        *fields_of_table("long diaSourceId\nstring? observation_reason target_name"),
        ("diaSource", record(f"{space}.diaSource", source)),
        ("prvDiaSources", array_or_null(f"{space}.diaSource")),
        ("prvDiaForcedSources", array_or_null(record(f"{space}.diaForcedSource", forced))),
        ("diaObject", ["null", record(f"{space}.diaObject", dia_object)]),
        ("ssSource", ["null", record(f"{space}.ssSource", fields_of_table(SS_SOURCE_9 if is_nine else SS_SOURCE))]),
        (name, ["null", record(f"{space}.{name}", fields_of_table(table))]),
        *fields_of_table("bytes? cutoutDifference cutoutScience cutoutTemplate"),
    ]
    if version == "12_0":
        fields.insert(
            3, ("skyCondition", ["null", record(f"{space}.skyCondition", fields_of_table("float seeing sky"))])
        )
    return record(f"{space}.alert", fields)


def lsst_schema_number(version: str) -> int:
    """
    Give the number of a version in Rubin's registry: major times 100, plus minor.

    >>> lsst_schema_number("10_0"), lsst_schema_number("7_1")
    (1000, 701)
    """
    major, minor = version.split("_")
    return int(major) * 100 + int(minor)


@cache
def elasticc_schema(version: str = "0_9_1") -> dict[str, Any]:
    """
    Make the schema of ELAsTiCC's alerts.

    Parameters
    ----------
    version
        One of `ELASTICC_VERSIONS`; the bytes of one cannot be read with the other.
    """
    space, is_older = f"elasticc.v{version}", version == "0_9"
    source = "long diaSourceId\n" + ("long ccdVisitId\n" if is_older else "") + "long? diaObjectId\n"
    source += ("long? parentDiaSourceId\n" if is_older else "") + "double midPointTai\nstring filterName\n"
    source += "double ra decl\nfloat psFlux psFluxErr snr\n" + ("float? nobs\n" if is_older else "")
    forced = "long diaForcedSourceId\n" + ("long ccdVisitId\n" if is_older else "")
    forced += "long diaObjectId\ndouble midPointTai\nstring filterName\nfloat psFlux psFluxErr\n"
    forced += "float totFlux totFluxErr\n" if is_older else ""
    hosts = "".join(_HOST.format(host, f" {host}_zphot_p50" * is_older) for host in ("hostgal", "hostgal2"))
    limits = record(
        f"{space}.diaNondetectionLimit",
        fields_of_table("long ccdVisitId\ndouble midPointTai\nstring filterName\nfloat diaNoise"),
    )
    fields: list[Field] = [
        ("alertId", "long"),
        ("diaSource", record(f"{space}.diaSource", fields_of_table(source))),
        ("prvDiaSources", array_or_null(f"{space}.diaSource")),
        ("prvDiaForcedSources", array_or_null(record(f"{space}.diaForcedSource", fields_of_table(forced)))),
        *([("prvDiaNondetectionLimits", array_or_null(limits))] if is_older else []),
        ("diaObject", ["null", record(f"{space}.diaObject", fields_of_table(ELASTICC_OBJECT + hosts))]),
        *(fields_of_table("bytes? cutoutDifference cutoutTemplate") if is_older else []),
    ]
    return record(f"{space}.alert", fields)


@cache
def fink_lsst_schema(version: str = "10_0") -> dict[str, Any]:
    """Make the schema of what Fink sends: Rubin's alert, with what Fink found (a part of it) at the end."""
    rubin = lsst_schema(version)
    found: list[Field] = [
        *fields_of_table("double? brokerIngestMjd\nstring? lsst_schema_version fink_broker_version publisher"),
        *(
            (name, ["null", record(f"fink.{name}", fields_of_table(table))])
            for name, table in (("clf", FINK_LSST_SCORES), ("xm", FINK_LSST_MATCHES), ("pred", FINK_LSST_LABELS))
        ),
    ]
    return {**rubin, "fields": [*rubin["fields"], *record("added", found)["fields"]]}


BABAMUL_POINT = "double jd\ndouble? psfFlux\ndouble psfFluxErr\nstring band\ndouble? ra dec"
BABAMUL_ADDED = """
string objectId
double jd
float magpsf sigmapsf diffmaglim
boolean isdiffpos
float snr magap sigmagap
double? jdstarthist
int? ndethist
"""


@cache
def babamul_lsst_schema() -> dict[str, Any]:
    """Make the schema of Babamul's LSST alerts: the source with magnitudes, and its history as fluxes [nJy]."""
    # Babamul leaves out a few of Rubin's fields; which ones is no matter to who reads by name.
    source = [field for field in fields_of_table(DIA_SOURCE) if field[0] != "snr"]
    fields: list[Field] = [
        *fields_of_table("long candid\nstring objectId"),
        ("candidate", record("babamul.LsstCandidate", [*source, *fields_of_table(BABAMUL_ADDED)])),
        *babamul_history("prv_candidates", "fp_hists"),
    ]
    return record("babamul.EnrichedLsstAlert", fields)


def babamul_history(*lists: str) -> list[Field]:
    """List the fields that all of Babamul's alerts end with: lists of points, and images."""
    point: Any = record("babamul.Photometry", fields_of_table(BABAMUL_POINT))
    names: list[Any] = [point, *["babamul.Photometry"] * (len(lists) - 1)]
    return [
        *((name, {"type": "array", "items": items}) for name, items in zip(lists, names, strict=True)),
        *fields_of_table("bytes? cutoutScience cutoutTemplate cutoutDifference"),
    ]


RECORDING = record(
    "tides.recording.message",
    [("key", ["null", "bytes"]), ("value", "bytes"), ("timestamp_ms", "long")],
)
"""One recorded Kafka message: see `simulators.alerts.encoders`."""


def to_text(schema: dict[str, Any]) -> str:
    """Write a schema as JSON, the same whenever it is written."""
    return json.dumps(schema, separators=(",", ":"))


def _type(kind: str) -> Any:
    bare = kind.removesuffix("?")
    known = _TYPES.get(bare, bare)
    return ["null", known] if kind.endswith("?") else known


def _counted(fields: list[Field]) -> list[Field]:
    return [(name, "int" if COUNTS.fullmatch(name) else kind) for name, kind in fields]
