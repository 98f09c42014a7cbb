"""The commands that the stand-ins add to ``tides``, a file each; what they need is imported only when they run."""
