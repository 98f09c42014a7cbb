"""Clients of the field, as they come from PyPI, against our stand-ins: in environments of their own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simulators.services.lasair import LasairStandin, to_light_curve
from simulators.services.lasair_lsst import LasairLsstStandin, to_object
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

OF_ZTF = """
import json, sys
from lasair import lasair_client
client = lasair_client(sys.argv[2], endpoint=sys.argv[1])
names, ra, dec = sys.argv[3].split(","), *map(float, sys.argv[4:6])
cones = [client.cone(ra, dec, radius=2, requestType=kind) for kind in ("all", "nearest", "count")]
print(json.dumps([client.lightcurves(names), *cones]))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give the Python of an environment with a version of a client, made when it is asked for."""

    def made(package: str) -> Path:
        folder = tmp_path_factory.mktemp("client")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        installing = [folder / "bin" / "pip", "install", "--quiet", package]
        if subprocess.run(installing, capture_output=True, check=False, timeout=300).returncode:
            pytest.skip(f"{package} cannot be had here")
        return folder / "bin" / "python"

    return made


def asked(python: Path, script: str, *arguments: object) -> Any:
    done = subprocess.run(
        [python, "-c", script, *map(str, arguments)], capture_output=True, text=True, check=True, timeout=60
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
    assert [curve["objectId"] for curve in found] == names.split(",")
    assert ([hit["object"] for hit in cone], nearest["separation"], count) == (names.split(","), 0.0, {"count": 2})
