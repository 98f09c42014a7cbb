"""The domain of the bridge: plain functions and frozen models; imports neither Prefect nor Dask."""
