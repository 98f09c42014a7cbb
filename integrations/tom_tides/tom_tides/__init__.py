"""Targets of the TiDES bridge in a TOM Toolkit."""
