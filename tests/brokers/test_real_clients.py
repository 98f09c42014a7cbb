"""Clients of the field, as they come from PyPI, against our stand-ins: in environments of their own."""

import json
import os
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from simulators.alerts.broker_forms import to_antares
from simulators.alerts.encoders import packed_bson
from simulators.services.alerce import AlerceStandin, to_alerce
from simulators.services.antares import AntaresStandin, to_locus
from simulators.services.kafka_gate import KafkaGate
from simulators.services.lasair import LasairStandin, to_light_curve
from simulators.services.lasair_lsst import LasairLsstStandin, to_object
from simulators.services.stream import KafkaStandin
from tests.processes.test_expiry import certificate
from tests.support import recorded
from tests.support.alert_packets import of_objects

pytestmark = pytest.mark.whole

OF_LSST = """
import json, sys
from lasair import lasair_client
client, name, ra, dec = lasair_client(sys.argv[2], endpoint=sys.argv[1]), *sys.argv[3:6]
cones = [client.cone(float(ra), float(dec), radius=2, requestType=kind) for kind in ("all", "nearest", "count")]
print(json.dumps([client.object(name, lasair_added=False), client.object(name), *cones]))
"""

MORE_OF_LSST = """
import json, sys
from lasair import lasair_client
client, name = lasair_client(sys.argv[2], endpoint=sys.argv[1]), sys.argv[3]
annotation = {"objectId": name, "topic": "mine", "classification": "Ia", "classdict": {"p": 0.5}}
print(json.dumps([
    client.query("diaObjectId, nDiaSources", "objects", "objects.nDiaSources > 0", limit=1),
    client.sherlock_object(name), client.sherlock_position(1.0, 2.0),
    client.annotate("mine", name, "Ia"), client.annotate_list([annotation, annotation]),
]))
"""

OF_ZTF = """
import json, sys
from lasair import lasair_client
client = lasair_client(sys.argv[2], endpoint=sys.argv[1])
names, ra, dec = sys.argv[3].split(","), *map(float, sys.argv[4:6])
cones = [client.cone(ra, dec, radius=2, requestType=kind) for kind in ("all", "nearest", "count")]
print(json.dumps([client.lightcurves(names), *cones]))
"""

MORE_OF_ZTF = """
import json, sys
from lasair import lasair_client
client, names = lasair_client(sys.argv[2], endpoint=sys.argv[1]), sys.argv[3].split(",")
print(json.dumps([
    client.query("objectId, rmag", "objects", "jdmax < jdnow() + 1e6 AND rmag < 18.6"), client.objects(names),
    client.streams_topics("sim"), client.streams("simulated", limit=1), client.sherlock_objects(names),
]))
"""

OF_ANTARES = """
import json, sys
from astropy.coordinates import Angle, SkyCoord
from antares_client import search
loci = [search.get_by_ztf_object_id(sys.argv[1]), search.get_by_lsst_dia_object_id(sys.argv[2])]
near = search.cone_search(SkyCoord(f"{loci[1].ra}d {loci[1].dec}d"), Angle("0.001d"))
print(json.dumps([
    [[locus.locus_id, len(locus.alerts), locus.lightcurve.ant_mag.tolist(), len(locus.timeseries),
      locus.catalog_objects] for locus in loci],
    [locus.locus_id for locus in near], search.get_available_tags(), search.get_by_ztf_object_id("ZTF00none"),
    len(list(search.search({}, limit=1))),
]))
"""

OF_TOM = """
import json, sys
import django
from django.conf import settings
from tom_common.default_settings import TOMTOOLKIT_INSTALLED_APPS
settings.configure(
    INSTALLED_APPS=TOMTOOLKIT_INSTALLED_APPS, BROKERS={"LASAIR": {"api_key": sys.argv[2]}}, TARGET_TYPE="SIDEREAL",
    MIDDLEWARE=["allauth.account.middleware.AccountMiddleware"], SECRET_KEY="x", HOOKS={}, USE_TZ=True,
)
django.setup()
from tom_alerts.brokers import lasair
lasair.LASAIR_URL = sys.argv[1]
broker = lasair.LasairBroker()
cone = {"cone_ra": "10.25", "cone_dec": "-20.5", "cone_radius": "5"}
answers = [broker.fetch_alerts(query) for query in (cone, {"sqlquery": "rmag < 18.6"}, {"sqlquery": "nonsense <"})]
print(json.dumps([[[broker.to_generic_alert(alert).name for alert in alerts], told] for alerts, told in answers]))
"""

OF_KAFKA = """
import json, sys
from kafka import KafkaConsumer
consumer = KafkaConsumer(
    "alerts", bootstrap_servers=sys.argv[1], group_id="tides", auto_offset_reset="earliest", consumer_timeout_ms=8000,
    **json.loads(sys.argv[2]),
)
print(json.dumps(sorted(message.value.decode() for message in consumer)))
"""

LOGIN = {
    "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512", "sasl_plain_username": "tides",
    "sasl_plain_password": "right",  # pragma: allowlist secret
}  # fmt: skip

ANTARES_STREAM = """
import json, sys
from antares_client import StreamingClient
with StreamingClient(
    ["simulated"], api_key="tides", api_secret="right", group="tides", bootstrap_server=sys.argv[1],
    ssl_ca_location=sys.argv[2],
) as client:
    print(json.dumps([[topic, locus.locus_id] for topic, locus in client.iter(2)]))
"""


OF_ALERCE = """
import json, sys
from alerce.core import Alerce
client, name, number, ra, dec = Alerce(), *sys.argv[1:6]
calls = ("object", "lightcurve", "detections", "non_detections", "forced_photometry", "probabilities")
of_one = [
    {call: getattr(client, f"query_{call}")(oid, survey=survey, format="json") for call in calls}
    for oid, survey in ((name, "ztf"), (number, "lsst"))
]
cone = client.query_objects(survey="lsst", ra=float(ra), dec=float(dec), radius=2, format="json")
frame = client.query_objects(survey="ztf", classifier="stamp_classifier", class_name="SN", page_size=1, format="pandas")
more = [client.query_magstats(name, survey="ztf"), client.query_features(name, survey="ztf"),
        client.query_classifiers(survey="ztf"), client.query_classes("stamp_classifier", "1.0.4", survey="ztf")]
try:
    client.query_object("ZTF00none", survey="ztf")
except Exception as problem:
    more.append(type(problem).__name__)
print(json.dumps([of_one, [known["oid"] for known in cone], frame["oid"].tolist(), more]))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give the Python of an environment with a version of a client, made when it is asked for first."""

    @cache
    def made(package: str) -> Path:
        folder = tmp_path_factory.mktemp("client")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        installing = [folder / "bin" / "pip", "install", "--quiet", package]
        if subprocess.run(installing, capture_output=True, check=False, timeout=500).returncode:
            pytest.skip(f"{package} cannot be had here")
        return folder / "bin" / "python"

    return made


def asked(python: Path, script: str, *arguments: object, **variables: str) -> Any:
    done = subprocess.run(
        [python, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env=os.environ | variables,
    )
    return json.loads(done.stdout)


def test_lasair_for_lsst(python: Any) -> None:
    packet = of_objects()[0]
    known, name = packet["diaObject"], packet["diaObject"]["diaObjectId"]
    with LasairLsstStandin() as lasair:
        lasair.load([to_object(packet)])
        place = known["ra"], known["dec"]
        bare, whole, cone, nearest, count = asked(
            python("lasair==0.1.4"), OF_LSST, lasair.address, lasair.token, name, *place
        )
        client = python("lasair==0.1.4")
        rows, of_object, of_place, *done = asked(client, MORE_OF_LSST, lasair.address, lasair.token, name)
    assert rows == [{"diaObjectId": name, "nDiaSources": len(bare["diaSourcesList"])}]
    assert (list(of_object["classifications"]), list(of_place["classifications"])) == ([str(name)], ["query"])
    assert done == [{"status": "success"}] * 2
    assert [note["classification"] for note in lasair.annotations] == ["Ia"] * 3
    assert bare["diaObjectId"] == str(name) and "diaObject" not in bare
    assert (whole["diaObject"]["ra"], whole["diaObject"]["decl"]) == place
    assert (cone["count"], cone["objects"][0]["object"], nearest["nearest"]["object"], count) == (
        1, name, name, {"count": 1}
    )  # fmt: skip


def test_lasair_for_ztf(python: Any) -> None:
    packets = recorded.ztf_packets()[:2]
    with LasairStandin() as lasair:
        lasair.load(map(to_light_curve, packets))
        names = ",".join(packet["objectId"] for packet in packets)
        found, cone, nearest, count = asked(
            python("lasair==0.0.6"), OF_ZTF, lasair.address, lasair.token, names, 10.25, -20.5
        )
        client = python("lasair==0.0.6")
        rows, objects, *streams, classes = asked(client, MORE_OF_ZTF, lasair.address, lasair.token, names)
    assert rows == [{"objectId": names.split(",")[0], "rmag": 18.5}]
    assert [thing["objectData"]["ncand"] > 0 for thing in objects] == [True, True]
    assert [len(rows) for rows in streams] == [1, 1]
    assert list(classes["classifications"]) == names.split(",")
    assert [curve["objectId"] for curve in found] == names.split(",")
    assert ([hit["object"] for hit in cone], nearest["separation"], count) == (names.split(","), 0.0, {"count": 2})


def test_antares(python: Any) -> None:
    of_ztf, of_lsst = recorded.ztf_packets()[:2], of_objects()[:2]
    with AntaresStandin() as antares:
        antares.load(map(to_locus, [*of_ztf, *of_lsst]))
        names = of_ztf[0]["objectId"], of_lsst[0]["diaObject"]["diaObjectId"]
        address = {"ANTARES_API_BASE_URL": f"{antares.address}/"}
        loci, near, tags, nobody, number = asked(python("antares-client==2.0.2"), OF_ANTARES, *names, **address)
    for packet, (name, alerts, magnitudes, times, matches) in zip((of_ztf[0], of_lsst[0]), loci, strict=True):
        locus = to_locus(packet)
        assert (name, alerts, times, matches) == (locus["id"], *[len(locus["alerts"])] * 2, {})
        assert len(magnitudes) == alerts
    assert loci[1][0] in near
    assert (tags, nobody, number) == (["simulated"], None, 4)  # the client goes on to the last page


def test_alerce(python: Any, tmp_path: Path) -> None:
    of_ztf, of_lsst = recorded.ztf_packets()[:2], of_objects()[:2]
    name, known = of_ztf[0]["objectId"], of_lsst[0]["diaObject"]
    client = python("alerce==2.3.1")
    folder = next(client.parents[1].glob("lib/python3*/site-packages/alerce"))
    addresses = json.loads((folder / "default_config.json").read_text())
    with AlerceStandin() as alerce:
        alerce.load(map(to_alerce, [*of_ztf, *of_lsst]))
        addresses["ztf"]["ZTF_API_URL"], addresses["multisurvey"]["URL_MS"] = alerce.address, f"{alerce.address}/"
        (tmp_path / "addresses.json").write_text(json.dumps(addresses))
        place = of_lsst[0]["diaSource"]["ra"], of_lsst[0]["diaSource"]["dec"]
        arguments = name, known["diaObjectId"], *place
        config = {"ALERCE_CONFIG_PATH": str(tmp_path / "addresses.json")}
        (ztf, lsst), cone, first, more = asked(client, OF_ALERCE, *arguments, **config)
    seen = [point for point in [*of_ztf[0]["prv_candidates"], of_ztf[0]["candidate"]] if point.get("candid")]
    assert [point["candid"] for point in ztf["detections"]] == sorted(str(point["candid"]) for point in seen)
    assert ztf["lightcurve"]["detections"] == ztf["detections"] and ztf["object"]["ndet"] == len(seen)
    newest = lsst["detections"][-1]
    assert (newest["band_name"], newest["psfFlux"]) == (
        of_lsst[0]["diaSource"]["band"],
        of_lsst[0]["diaSource"]["psfFlux"],
    )
    assert sum(word["probability"] for word in lsst["probabilities"]) == pytest.approx(1)
    assert (cone, len(first), more[-1]) == ([str(known["diaObjectId"])], 1, "ObjectNotFoundError")
    assert [stats["ndet"] for stats in more[0]] and more[3][0] == {"name": "SN"}


def test_tom_toolkit(python: Any) -> None:
    packets = recorded.ztf_packets()[:2]
    with LasairStandin() as lasair:
        lasair.load(map(to_light_curve, packets))
        address = lasair.address.removesuffix("/api")
        cone, bright, nonsense = asked(python("tomtoolkit==3.1.0"), OF_TOM, address, lasair.token)
    names = [packet["objectId"] for packet in packets]
    assert (cone, bright) == ([names, ""], [names[:1], ""])
    assert nonsense[1].startswith("error:Your query: ")


@pytest.mark.parametrize("login", [{}, LOGIN])
def test_kafka_python(python: Any, login: dict[str, str]) -> None:
    messages = [f"alert {number}" for number in range(20)]
    users = {"tides": "right"} if login else {}
    with KafkaStandin() as kafka, KafkaGate(kafka.address, users) as gate:
        kafka.publish("alerts", [message.encode() for message in messages])
        assert asked(python("kafka-python==3.0.12"), OF_KAFKA, gate.address, json.dumps(login)) == sorted(messages)


def test_the_stream_of_antares(python: Any, tmp_path: Path) -> None:
    packets = recorded.ztf_packets()[:2]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path, datetime.now(UTC) + timedelta(days=1)))
    with KafkaStandin() as kafka, KafkaGate(kafka.address, {"tides": "right"}, context) as gate:
        kafka.publish("client.simulated", [packed_bson(to_antares(packet)) for packet in packets])
        client = python("antares-client[subscriptions]==2.0.2")
        loci = asked(client, ANTARES_STREAM, gate.address, tmp_path / "believed.pem")
    assert sorted(loci) == sorted(["client.simulated", to_antares(packet)["id"]] for packet in packets)
    assert set(gate.logins) == {("tides", "PLAIN")}
