"""Stand-ins all at once: loaded with alerts or with a stream that never ends, and the demo on them."""
