"""What a node says of itself: listings of its tools, alone or gathered into one archive."""

from rulegen.dump.collect import script
from rulegen.dump.listings import LISTINGS, Listings, mode_of, recognise, split, variant
from rulegen.dump.read import DumpError, is_archive, of_bytes, read

__all__ = [
    "LISTINGS",
    "DumpError",
    "Listings",
    "is_archive",
    "mode_of",
    "of_bytes",
    "read",
    "recognise",
    "script",
    "split",
    "variant",
]
