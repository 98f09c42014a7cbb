"""The survey's TOM, a TOM Toolkit: our targets there, and what people say of them there. By its REST API."""
