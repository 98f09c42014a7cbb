"""The survey's spectra: which of our targets are observed on a night, and the files that are delivered of it."""
