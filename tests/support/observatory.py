"""A portal to ask in tests: targets at drawn places, with the words that are hard to write, behind a real server."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.curves import curves_of, point
from tests.support.processes import wait_until
from tests.support.staging import staged, store
from tides_bridge.database import Database, run
from tides_bridge.lightcurves.stored import pack_rows
from tides_bridge.operations.remembered import KeptDatabase
from tides_bridge.portal.app import make_app
from tides_bridge.portal.serving import server_of
from tides_bridge.settings import Settings

HARD = "refusé: <∞> & ]]> 'x' 😀"
"""A reason that no ASCII and no careless XML can hold."""

TARGETS = 60


def places(number: int = TARGETS) -> tuple[np.ndarray, np.ndarray]:
    """Give places over the whole sky [deg], some of them near a pole and near where right ascension begins."""
    random = np.random.default_rng(5)
    ra, decl = random.uniform(0, 360, number), np.degrees(np.arcsin(random.uniform(-1, 1, number)))
    ra[:6], decl[:6] = [0.01, 359.99, 0.5, 10, 130, 250], [0.0, 0.3, -0.4, 89.5, 89.9, -89.7]
    return ra, decl


def fill(database: Database, settings: Settings) -> None:
    """Make targets of two surveys; some are refused at 4MOST, some are off."""
    ra, decl = places()
    rows = [
        staged(f"O{n}", ra=float(ra[n]), decl=float(decl[n]), survey=("ztf", "lsst")[n % 2], r=18.0 + n / 10)
        for n in range(len(ra))
    ]
    for survey in ("ztf", "lsst"):
        store(database, settings, *(row for row in rows if row["survey"] == survey))
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE tides_master SET refused_4most = %(hard)s WHERE object_id IN ('O7', 'O8')", {"hard": HARD}
        )


@contextlib.contextmanager
def served(settings: Settings) -> Iterator[str]:
    """Serve the portal of settings; gives its address."""
    database = KeptDatabase(settings)
    listener = socket.create_server(("127.0.0.1", 0))
    server = server_of(make_app(settings, database, lambda *_: None, "http://127.0.0.1:1"))  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        database.close()


@contextlib.contextmanager
def served_alone(settings: Settings, state: Path) -> Iterator[str]:
    """Serve a portal whose own files lie in a folder of the test; gives its address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(state))
        with served(settings) as address:
            yield address


def judge_all(database: Database) -> None:
    """
    Write a record: each target passed, as many others with R in their names did not.

    Those have too few nights, or are too faint; ``faintness`` says by how much, in two months.
    """
    with database.transaction() as connection:
        connection.exec_driver_sql(RECORD, {"number": TARGETS})
        curve = curves_of(
            point(60990.0, "g", 19.0), point(60991.0, "r", 18.5), point(60992.0, "g", 20.0, detection=False)
        )
        later = curves_of(point(60990.0, "g", 19.0), point(60998.0, "i", 21.5))
        kept = {
            "surveys": ["lsst", "ztf"],
            "object_ids": ["O1", "O2"],
            "last_mjds": [60991.0, 60991.0],
            "curves": pack_rows(curve.to_arrow(), [0, 0]),
        }
        connection.exec_driver_sql(LATER_CURVE, {"curve": pack_rows(later.to_arrow(), [0])[0]})
        run(connection, "targets/store_target_curves.sql", kept | {"now_mjd": 60993.0, "now": "2025-11-17T00:00:00Z"})


LATER_CURVE = """
INSERT INTO decided_light_curve (object_id, survey, curve_digest, curve, stored_at)
VALUES
    ('O1', 'ztf', gen_random_uuid(), %(curve)s, '2025-11-20T00:00:00Z'),
    ('O2', 'ztf', gen_random_uuid(), %(curve)s, '2025-11-20T00:00:00Z')
"""
"""O2 was decided on once more after it passed; O1 of the other survey is another object."""

RECORD = """
INSERT INTO selection_function (name, version, normalised_text) VALUES ('made', 'v1', '{}');
SELECT make_decision_partitions(at) FROM unnest('{2025-10-01,2025-11-01}'::timestamptz[]) AS at;
INSERT INTO decision (
    decided_at, newest_mjd, trigger_mjd, curve_digest, n_detections, passed, is_stale, survey, object_id, function,
    version, role, code_version, failed, measured
)
SELECT
    '2025-10-10T00:00:00Z'::timestamptz + n %% 40 * interval '1 day', 60958 + n %% 40,
    CASE WHEN has_passed THEN 60957 + n %% 40 END, gen_random_uuid(), 5, has_passed, FALSE,
    CASE n %% 2 WHEN 0 THEN 'ztf' ELSE 'lsst' END, CASE WHEN has_passed THEN 'O' ELSE 'R' END || n, 'made', 'v1',
    'active', 'test', CASE WHEN has_passed THEN '{}' WHEN n %% 3 = 0 THEN '{nights}' ELSE '{faintness}' END::text[],
    jsonb_build_object(
        'nights', CASE WHEN n %% 3 = 0 AND NOT has_passed THEN 1 ELSE 4 END,
        'faintness', CASE WHEN n %% 3 > 0 AND NOT has_passed THEN 20.5 + n / 50.0 ELSE 17.5 + n / 20.0 END
    )
FROM generate_series(0, %(number)s::integer - 1) AS n CROSS JOIN (VALUES (TRUE), (FALSE)) AS kind (has_passed)
ORDER BY n, has_passed
"""
