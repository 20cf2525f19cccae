"""What kubectl (1.37) writes and prints, from plain objects and without a cluster.

:func:`run` takes a command line. The commands behind it can be called with values of their own: :func:`get`
and :func:`describe` print into a :class:`Session`, :class:`Expose` and :func:`create_service` make Services,
:func:`to_yaml` and :func:`to_json` write as kubectl does. Everything is pure: objects, a command and the
present moment in, text out.
"""

from rulegen.kubectl.builder import Query
from rulegen.kubectl.cluster import Cluster, Session
from rulegen.kubectl.commands import Outcome, run
from rulegen.kubectl.create import NewService, create_service
from rulegen.kubectl.describe import Describe, describe, describe_service
from rulegen.kubectl.errors import KubectlError
from rulegen.kubectl.expose import Expose
from rulegen.kubectl.get import Get, get
from rulegen.kubectl.jsontext import to_json
from rulegen.kubectl.kyamltext import to_kyaml
from rulegen.kubectl.resources import Resource, find_resource
from rulegen.kubectl.tables import Style
from rulegen.kubectl.yamltext import to_yaml

__all__ = [
    "Cluster",
    "Describe",
    "Expose",
    "Get",
    "KubectlError",
    "NewService",
    "Outcome",
    "Query",
    "Resource",
    "Session",
    "Style",
    "create_service",
    "describe",
    "describe_service",
    "find_resource",
    "get",
    "run",
    "to_json",
    "to_kyaml",
    "to_yaml",
]
