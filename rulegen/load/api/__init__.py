"""What the Kubernetes API server (1.37) does to an object on create, on plain data and exactly.

:func:`admit` decodes strictly, fills in defaults, checks what the server allocates, and validates, with the
server's field paths and words. This is the exact, slow way; objects that are plainly right need only
:mod:`rulegen.load.api.quick`.
"""

from rulegen.load.api.admission import admit
from rulegen.load.api.answers import Admission, FieldError, Server

__all__ = ["Admission", "FieldError", "Server", "admit"]
