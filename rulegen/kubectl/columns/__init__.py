"""The columns of kubectl's tables, by kind.

The API server makes tables (``pkg/printers/internalversion``, 1.37), always with the columns that only
``-o wide`` shows.
"""

from __future__ import annotations

from collections.abc import Mapping

from rulegen.kubectl.columns import nodes, pods, services, workloads
from rulegen.kubectl.columns.base import NAME, Cell, Column, Columns, column

__all__ = ["COLUMNS", "NAME", "Cell", "Column", "Columns", "column"]

COLUMNS: Mapping[tuple[str, str], Columns] = {
    ("", "Pod"): pods.PODS,
    ("", "Service"): services.SERVICES,
    ("", "Endpoints"): services.ENDPOINTS,
    ("discovery.k8s.io", "EndpointSlice"): services.ENDPOINT_SLICES,
    ("networking.k8s.io", "ServiceCIDR"): services.SERVICE_CIDRS,
    ("networking.k8s.io", "IPAddress"): services.IP_ADDRESSES,
    ("", "Node"): nodes.NODES,
    ("", "Namespace"): nodes.NAMESPACES,
    ("apps", "Deployment"): workloads.DEPLOYMENTS,
    ("apps", "ReplicaSet"): workloads.REPLICA_SETS,
    ("apps", "StatefulSet"): workloads.STATEFUL_SETS,
    ("apps", "DaemonSet"): workloads.DAEMON_SETS,
    ("", "ReplicationController"): workloads.REPLICATION_CONTROLLERS,
    ("", "ConfigMap"): nodes.CONFIG_MAPS,
}
"""(group, kind) -> its columns."""
