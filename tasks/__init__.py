"""How a step behaves as a unit: retries, timeouts, names and artifacts around one function of tides_bridge."""
