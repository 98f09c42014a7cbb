"""
A simulated sky: supernovae, active galaxies, variable stars and asteroids, as a survey would measure them.

Everything follows from a seed. A `Sky` has fields, which the survey visits night by night in its cadence (unless the
weather is bad), and objects in them, whose light curves are flux differences with noise: a detection is a difference
of at least five sigma, either sign. The simulation is as simple as a plausible one can be: no host light, no dust, and
the only K correction is a black body's colour at peak.

`simulators.alerts.packets` writes what is seen here as ZTF alert packets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Floats

Generator = np.random.Generator

ZERO_POINT = 31.4
"""AB magnitude of 1 nJy."""
DETECTION_SNR = 5.0
"""Significance from which surveys issue an alert (ZTF and Rubin)."""
SYSTEMATIC = 0.01
"""Error floor of differential photometry, as a fraction of the flux."""
LUNATION_DAYS = 29.530588
NEW_MOON_MJD = 51549.76
"""New moon of 2000-01-06 18:14 UT."""
FIELDS = 12
"""Pointings of the survey; objects lie within three degrees of one."""
ASTEROID_SECONDS = 30.0
"""An asteroid of the main belt leaves its place (30 arcsec/h) within one visit: it is seen there once."""


@dataclass(frozen=True)
class Survey:
    """
    How a survey looks at the sky.

    Attributes
    ----------
    name
        ``ztf`` or ``lsst``.
    bands
        From blue to red.
    wavelength
        Effective wavelength of a band [nm].
    depth
        Five-sigma limit of one visit in a dark night with median seeing [mag].
    moon
        By how much the full moon lowers that limit [mag].
    cadence
        Nights between two visits of a field in a band.
    midnight
        Local midnight after the MJD (UTC) that numbers the night [d].
    clear
        Fraction of nights with usable weather.
    declinations
        Range of field centres [deg].
    brightest
        Magnitude at which it saturates [mag].
    """

    name: str
    bands: tuple[str, ...]
    wavelength: Mapping[str, float]
    depth: Mapping[str, float]
    moon: Mapping[str, float]
    cadence: Mapping[str, int]
    midnight: float
    clear: float
    declinations: tuple[float, float]
    brightest: float


ZTF = Survey(
    name="ztf",
    bands=("g", "r", "i"),
    wavelength={"g": 480, "r": 640, "i": 790},
    depth={"g": 20.8, "r": 20.6, "i": 19.9},
    moon={"g": 1.2, "r": 0.8, "i": 0.4},
    cadence={"g": 2, "r": 2, "i": 4},
    midnight=0.33,
    clear=0.75,
    declinations=(-25.0, 48.0),
    brightest=13.0,
)
"""Depths: Bellm et al. 2019 (PASP 131, 018002). Two nights in g and r: the public survey since December 2020."""

LSST = Survey(
    name="lsst",
    bands=("u", "g", "r", "i", "z", "y"),
    wavelength={"u": 368, "g": 480, "r": 622, "i": 754, "z": 869, "y": 971},
    depth={"u": 23.9, "g": 25.0, "r": 24.7, "i": 24.0, "z": 23.3, "y": 22.1},
    moon={"u": 1.5, "g": 1.2, "r": 0.8, "i": 0.4, "z": 0.2, "y": 0.1},
    cadence={"u": 14, "g": 12, "r": 5, "i": 5, "z": 6, "y": 6},
    midnight=1.2,
    clear=0.8,
    declinations=(-62.0, 2.0),
    brightest=16.0,
)
"""Depths: Ivezić et al. 2019 (ApJ 873, 111). Cadence: about its 825 visits a field in ten years."""

SURVEYS = {survey.name: survey for survey in (ZTF, LSST)}


@dataclass(frozen=True)
class Supernova:
    """
    A class of supernovae.

    Attributes
    ----------
    peak, scatter
        Absolute r magnitude at peak, and its standard deviation [mag].
    rise, fall
        Time scales of the light curve at 480 nm in the supernova's frame [d].
    reddening
        The fall is longer in the red: fall * (wavelength / 480 nm) ^ reddening.
    temperature
        Black body that gives the colours at peak [K].
    """

    peak: float
    scatter: float
    rise: float
    fall: float
    reddening: float
    temperature: float


SUPERNOVAE = {
    "SN Ia": Supernova(-19.3, 0.3, 3.0, 12.0, 1.5, 11_000),
    "SN Ibc": Supernova(-17.6, 0.9, 3.5, 13.0, 1.3, 8_000),
    "SN II": Supernova(-16.8, 1.0, 2.5, 45.0, 1.5, 10_000),
    "SLSN": Supernova(-21.7, 0.5, 12.0, 35.0, 1.0, 13_000),
}
"""
Peaks: Richardson et al. 2014 (AJ 147, 118); SLSN: De Cia et al. 2018 (ApJ 860, 100). Time scales are chosen so that a
SN Ia fades by 1.0 mag in g in 15 days, a SN II stays for two months, and a SLSN for three.
"""

SHARES = {
    "SN Ia": 0.46, "SN II": 0.16, "SN Ibc": 0.08, "SLSN": 0.02, "AGN": 0.10, "variable star": 0.10, "asteroid": 0.08,
}  # fmt: skip
"""Mixture in a magnitude-limited sample: supernovae as in the ZTF Bright Transient Survey (Perley et al. 2020, ApJ 904,
35), the rest thinned out, because a broker's filter removes most of it."""

SHERLOCK = {
    "AGN": {"AGN": 0.7, "NT": 0.3},
    "variable star": {"VS": 0.8, "UNCLEAR": 0.2},
    "asteroid": {"ORPHAN": 1.0},
}
"""How Lasair's Sherlock, which knows catalogues and not light curves, calls them; supernovae below."""
SHERLOCK_SUPERNOVA = {"SN": 0.8, "ORPHAN": 0.1, "NT": 0.05, "UNCLEAR": 0.05}


@dataclass(frozen=True)
class SkyObject:
    """
    The truth about one object.

    Attributes
    ----------
    number
        Counts from 0.
    kind
        A key of `SHARES`.
    field
        The field that holds it.
    ra, dec
        Position [deg].
    sherlock
        What Sherlock says of it.
    redshift
        Of a supernova, else 0.
    peak_mjd
        When a supernova is brightest, or an asteroid passes (MJD, UTC); else None.
    magnitude
        Apparent r magnitude: of a supernova at peak, else of the mean.
    """

    number: int
    kind: str
    field: int
    ra: float
    dec: float
    sherlock: str
    redshift: float
    peak_mjd: float | None
    magnitude: float

    @property
    def is_supernova(self) -> bool:
        """Whether it is what TiDES looks for."""
        return self.kind in SUPERNOVAE


@dataclass(frozen=True)
class LightCurve:
    """
    What the survey measures of one object, visit by visit in time.

    Attributes
    ----------
    mjd_utc
        Start of the exposure.
    night
        Number of the night: the MJD in which its evening falls.
    band
        Index into the survey's bands.
    flux_njy, error_njy
        Difference to the reference image and its error [nJy].
    limit
        Five-sigma limit of the visit [mag].
    """

    mjd_utc: Floats
    night: npt.NDArray[np.int64]
    band: npt.NDArray[np.int64]
    flux_njy: Floats
    error_njy: Floats
    limit: Floats

    @property
    def detected(self) -> npt.NDArray[np.bool_]:
        """Where the difference, of either sign, is significant."""
        return np.abs(self.flux_njy) >= DETECTION_SNR * self.error_njy

    @property
    def magnitude(self) -> Floats:
        """AB magnitude of the absolute difference; whether it is a brightening says the sign of the flux."""
        return to_magnitude(np.abs(self.flux_njy))


def to_flux(magnitude: npt.ArrayLike) -> Floats:
    """Convert AB magnitudes to fluxes [nJy]: 10^(-0.4 (m - 31.4))."""
    return np.asarray(10 ** (-0.4 * (np.asarray(magnitude, float) - ZERO_POINT)))


def to_magnitude(flux_njy: npt.ArrayLike) -> Floats:
    """Convert fluxes [nJy] to AB magnitudes."""
    return np.asarray(ZERO_POINT - 2.5 * np.log10(np.maximum(np.asarray(flux_njy, float), 1e-9)))


def redshift_of(distance_modulus: float) -> float:
    """Invert the distance modulus [mag] of a flat universe with H0 = 70 km/s/Mpc and Omega_m = 0.3."""
    z = np.linspace(1e-4, 3, 6000)
    hubble_mpc = 299_792.458 / 70
    inverse = 1 / np.sqrt(0.3 * (1 + z) ** 3 + 0.7)
    comoving = hubble_mpc * (z[0] + np.concatenate([[0], np.cumsum((inverse[1:] + inverse[:-1]) / 2 * np.diff(z))]))
    return float(np.interp(distance_modulus, 5 * np.log10((1 + z) * comoving) + 25, z))


def bazin(days: Floats, rise: float, fall: Floats) -> Floats:
    """
    Give the flux of a supernova relative to its peak (Bazin et al. 2009, A&A 499, 653), some days after it.

    Examples
    --------
    >>> bazin(np.array([-15.0, 0.0, 15.0]), 3.0, np.array([12.0])).round(2)
    array([0.09, 1.  , 0.38])
    """
    peak = rise * np.log(fall / rise - 1)

    def shape(time: Floats) -> Floats:
        return np.asarray(np.exp(-time / fall) / (1 + np.exp(-np.maximum(time, -60 * rise) / rise)))

    return shape(np.maximum(days + peak, -60 * rise)) / shape(peak)


def black_body_colour(wavelength_nm: Floats, temperature: float, redshift: float) -> Floats:
    """Give the AB magnitude of a black body [K] relative to that at 640 nm, seen at a redshift."""

    def magnitude(wavelength: npt.ArrayLike) -> Floats:
        x = 1.4388e7 * (1 + redshift) / (np.asarray(wavelength, float) * temperature)  # h nu / k T, with nm
        return np.asarray(-2.5 * (3 * np.log10(x) - np.log10(np.expm1(x))))

    return magnitude(wavelength_nm) - magnitude(640.0)


@dataclass(frozen=True)
class Visits:
    """All visits of one field in time; the arrays are those of `LightCurve`."""

    mjd_utc: Floats
    night: npt.NDArray[np.int64]
    band: npt.NDArray[np.int64]
    limit: Floats


class Sky:
    """
    A sky and a survey of it, both fixed by a seed.

    Parameters
    ----------
    seed
        The same seed gives the same sky.
    survey
        ``ztf`` or ``lsst``.
    objects
        How many there are; not all are ever detected.
    first_night, nights
        The nights of the survey (MJD).

    Examples
    --------
    >>> sky = Sky(seed=1, objects=20)
    >>> sky.objects[0] == Sky(seed=1, objects=20).objects[0]
    True
    >>> bool(sky.light_curve(0).detected.any())
    True
    """

    def __init__(
        self,
        seed: int = 1,
        survey: str = "ztf",
        *,
        objects: int = 150,
        first_night: int = 61230,
        nights: int = 60,
    ) -> None:
        self.seed, self.survey = seed, SURVEYS[survey]
        self.first_night, self.nights = first_night, nights
        random = self._random(0)
        low, high = (np.sin(np.radians(edge)) for edge in self.survey.declinations)
        self._centres = np.column_stack(
            [random.uniform(0, 360, FIELDS), np.degrees(np.arcsin(random.uniform(low, high, FIELDS)))]
        )
        self._clear = random.uniform(size=nights) < self.survey.clear
        self._visits = [self._plan(field) for field in range(FIELDS)]
        self.objects = [self._make(number) for number in range(objects)]

    def _random(self, *place: int) -> Generator:
        """Give the random numbers of one place of the simulation, whatever else was drawn before."""
        return np.random.default_rng([self.seed, *place])

    def is_clear(self, night: int) -> bool:
        """Tell whether anything was observed in a night (MJD)."""
        return 0 <= night - self.first_night < self.nights and bool(self._clear[night - self.first_night])

    def light_curve(self, number: int) -> LightCurve:
        """Measure an object in all visits of its field."""
        thing, random = self.objects[number], self._random(3, number)
        visits = self._visits[thing.field]
        true_njy = self._true_flux(thing, visits, random)
        error_njy = np.hypot(to_flux(visits.limit) / DETECTION_SNR, SYSTEMATIC * true_njy)
        flux_njy = true_njy + random.normal(size=true_njy.size) * error_njy
        return LightCurve(visits.mjd_utc, visits.night, visits.band, flux_njy, error_njy, visits.limit)

    @cached_property
    def _wavelengths(self) -> Floats:
        return np.array([self.survey.wavelength[band] for band in self.survey.bands])

    def _plan(self, field: int) -> Visits:
        """List a field's visits in the clear nights: when, in which band, how deep under the moon and seeing."""
        survey, random = self.survey, self._random(1, field)
        phase = int(random.integers(1000))
        rows = [
            (night, index, survey.midnight + random.uniform(-0.02, 0.02) + 0.04 * index)
            for night in range(self.first_night, self.first_night + self.nights)
            if self.is_clear(night)
            for index, band in enumerate(survey.bands)
            if (night + phase + index // 2) % survey.cadence[band] == 0
        ]
        night, band = (np.array([row[column] for row in rows], np.int64) for column in (0, 1))
        mjd = night + np.array([row[2] for row in rows])
        lit = (1 - np.cos(2 * np.pi * (mjd - NEW_MOON_MJD) / LUNATION_DAYS)) / 2
        dark, moon = (np.array([table[name] for name in survey.bands])[band] for table in (survey.depth, survey.moon))
        return Visits(mjd, night, band, dark - moon * lit + random.normal(0, 0.2, mjd.size))

    def _make(self, number: int) -> SkyObject:
        """Draw an object: its class, place and brightness."""
        random = self._random(2, number)
        kind = str(random.choice(list(SHARES), p=list(SHARES.values())))
        field = int(random.integers(len(self._centres)))
        names = SHERLOCK.get(kind, SHERLOCK_SUPERNOVA)
        sherlock = str(random.choice(list(names), p=list(names.values())))
        ra, dec = self._centres[field] + random.uniform(-3, 3, 2)
        magnitude, redshift = self._brightness(kind, random)
        return SkyObject(
            number,
            kind,
            field,
            float(ra % 360),
            float(dec),
            sherlock,
            redshift,
            self._moment(kind, field, random),
            magnitude,
        )

    def _brightness(self, kind: str, random: Generator) -> tuple[float, float]:
        """Draw magnitude and redshift: counts rise by 10^(0.6 m), as in an evenly filled space."""
        faintest = self.survey.depth["r"] - (0.5 if kind in SUPERNOVAE else 1.5)
        magnitude = max(faintest + np.log10(1 - random.uniform()) / 0.6, self.survey.brightest + 1)
        if kind not in SUPERNOVAE:
            return float(magnitude), 0.0
        absolute = random.normal(SUPERNOVAE[kind].peak, SUPERNOVAE[kind].scatter)
        return float(magnitude), redshift_of(magnitude - absolute)

    def _moment(self, kind: str, field: int, random: Generator) -> float | None:
        """Draw the peak of a supernova, from before the first night on, or the one visit that catches an asteroid."""
        if kind == "asteroid":
            visits = self._visits[field].mjd_utc
            return float(random.choice(visits)) if visits.size else float(self.first_night)
        if kind in SUPERNOVAE:
            return float(self.first_night + random.uniform(-15, self.nights))
        return None

    def _true_flux(self, thing: SkyObject, visits: Visits, random: Generator) -> Floats:
        """Give the noiseless difference to the reference image [nJy]."""
        if thing.is_supernova:
            model, wavelength = SUPERNOVAE[thing.kind], self._wavelengths[visits.band]
            fall = model.fall * (wavelength / 480) ** model.reddening
            colour = black_body_colour(wavelength, model.temperature, thing.redshift)
            days = (visits.mjd_utc - (thing.peak_mjd or 0.0)) / (1 + thing.redshift)
            return to_flux(thing.magnitude + colour) * bazin(days, model.rise, fall)
        mean = to_flux(np.full(visits.mjd_utc.size, thing.magnitude))
        if thing.peak_mjd is not None:
            return np.where(np.abs(visits.mjd_utc - thing.peak_mjd) * 86400 < ASTEROID_SECONDS, mean, 0.0)
        wavelength = self._wavelengths[visits.band]
        change = _walk(visits.mjd_utc, random) if thing.kind == "AGN" else _pulse(visits.mjd_utc, random)
        return np.asarray(mean * (10 ** (-0.4 * change * (480 / wavelength) ** 0.6) - 1))


def _walk(mjd: Floats, random: Generator) -> Floats:
    """Give the change of an active galaxy [mag]: a damped walk of 200 days (MacLeod et al. 2010, ApJ 721, 1014)."""
    sigma, change = random.uniform(0.15, 0.35), np.zeros(mjd.size)
    memory = np.exp(-np.diff(mjd, prepend=mjd[:1] - 1000) / 200)
    steps = random.normal(size=mjd.size) * sigma * np.sqrt(1 - memory**2)
    for i in range(mjd.size):
        change[i] = memory[i] * change[i - 1] + steps[i] if i else steps[i]
    return change


def _pulse(mjd: Floats, random: Generator) -> Floats:
    """Give the change of a pulsating star [mag], a sine with the period and amplitude of RR Lyrae stars."""
    period, amplitude, phase = random.uniform(0.35, 0.8), random.uniform(0.15, 0.5), random.uniform(0, 2 * np.pi)
    return np.asarray(amplitude * np.sin(2 * np.pi * mjd / period + phase))
