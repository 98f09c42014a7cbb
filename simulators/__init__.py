"""Stand-ins for what lies outside the bridge: the sky, a broker with its API, and the 4MOST Transient API."""
