"""``python -m simulators.fourmost``: the command ``tides fourmost`` without the rest of ``tides``."""

import typer

from simulators.fourmost.command import fourmost

if __name__ == "__main__":
    typer.run(fourmost)
