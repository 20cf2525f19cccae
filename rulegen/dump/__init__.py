"""What a node says of itself: listings of its tools, alone or gathered into one archive."""

from rulegen.dump.collect import script
from rulegen.dump.listings import LISTINGS, Listings, recognise, split, variant
from rulegen.dump.read import DumpError, is_archive, of_bytes, read

__all__ = [
    "LISTINGS",
    "DumpError",
    "Listings",
    "is_archive",
    "of_bytes",
    "read",
    "recognise",
    "script",
    "split",
    "variant",
]
