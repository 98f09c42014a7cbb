"""
How bright a target is on a night on which nobody has seen it yet. No input or output but the shipped coefficients.

::

    predicting      answers: the magnitude at an epoch in a band, its error, and how it was found
    supernova       the light curves that a supernova may have, weighted by the points there are
    last            the last magnitude, where the object is not known to be a supernova
    nights          the points as these take them: one a night and band
    coefficients    what was fitted, and where it lies
    fitting         the fit
"""

from tides_bridge.targets.brightness.predicting import (
    LAST,
    NONE,
    SUPERNOVA,
    Predictions,
    Requests,
    predict,
    predict_requests,
)
from tides_bridge.targets.brightness.supernova import Supernovae, load_models

__all__ = [
    "LAST",
    "NONE",
    "SUPERNOVA",
    "Predictions",
    "Requests",
    "Supernovae",
    "load_models",
    "predict",
    "predict_requests",
]
