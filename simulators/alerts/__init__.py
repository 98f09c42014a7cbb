"""Alerts of a simulated sky, in the form of every survey and broker, and packed in every framing."""
