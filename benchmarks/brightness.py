"""How well the brightness of later nights is predicted for objects that nothing was fitted on, and how fast."""

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks.measure import machine
from tides_bridge.archives.brightness import HEADER, is_unseen, read_sample, score, try_predictions
from tides_bridge.archives.truth import TruthFile
from tides_bridge.targets.brightness import predict

DATA = Path(__file__).parents[2] / "shared" / "data"

SETS = {
    "ELAsTiCC SNe Ia": ("elasticc/snia_5398alerts.parquet", ("elasticc/snia_5398alerts.parquet",), 3),
    "BTS SNe Ia": ("bts/snia_lightcurves.csv.gz", ("bts/*.csv",), 2),
    "ELAsTiCC AGN": ("elasticc/agn_elasticc_alerts.parquet", (), 3),
    "ELAsTiCC of random classes": ("elasticc/elasticc_sample_seed0.parquet", (), 3),
    "ZTF alerts of all classes": ("ztf/alerts.jsonl.gz", (), 2),
}
"""Light curves, where the truth is, and from how many bands on there is a prediction."""


def main(arguments: list[str] | None = None) -> None:
    """Predict, and print a table for each set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the sets")
    data = parser.parse_args(arguments).data
    print(machine())
    if not data.is_dir():
        print(f"no data in {data}: nothing is measured")
        return
    for name, (curves, truths, bands) in SETS.items():
        sources = [TruthFile(file) for pattern in truths for file in sorted(data.glob(pattern))]
        sample = read_sample([data / curves], sources, refused=lambda path, problem: print(path.name, problem))
        rows = try_predictions(sample, is_unseen if truths else bool, bands=bands)
        print(f"\n{name}: {rows.object_id.nunique()} objects, {100 * rows.is_known.mean():.0f} % known as supernovae\n")
        print("| " + " | ".join(HEADER) + " |\n|" + "---|" * len(HEADER))
        for cells in score(rows):
            print("| " + " | ".join(cells) + " |")
        part = sample.curves.part(0, 500)
        begun = time.process_time()
        predict(part, part.mjd[part.offsets[1:] - 1] + 1.0, "r", np.inf)
        print(f"\n{1000 * (time.process_time() - begun) / len(part):.2f} ms an object and core")


if __name__ == "__main__":
    main()
