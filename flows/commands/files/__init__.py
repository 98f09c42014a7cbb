"""Commands that read light curves in files: no settings, broker or database."""
