"""Commands about targets: which objects are one, what people decide of them, and what waits for a person."""
