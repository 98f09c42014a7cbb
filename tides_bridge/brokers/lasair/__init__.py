"""Lasair: the streams of its two surveys, and its light-curve API."""
