"""The commands of ``tides``, a file each, some with their kin. Each imports what is slow only when it runs."""
