"""From alerts to decisions: judging, several surveys together, the batch, and the record."""
