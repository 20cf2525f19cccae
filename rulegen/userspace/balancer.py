"""Which endpoint gets the next connection: round robin, with session affinity by client address."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class _Affinity(msgspec.Struct, frozen=True):
    endpoint: str
    last_used: float


class Balancer:
    """The endpoints of one service port in turn (LoadBalancerRR, pkg/proxy/userspace, Kubernetes 1.25).

    ``endpoints`` are ``ip:port``; kube-proxy shuffles them, here they keep their order, so that a run can be
    repeated. ``affinity_seconds`` is how long a client keeps its endpoint after its last connection, 0
    without affinity. Times are seconds of any steady clock.
    """

    def __init__(self, endpoints: Sequence[str], affinity_seconds: int = 0) -> None:
        self.endpoints = tuple(endpoints)
        self.affinity_seconds = affinity_seconds
        self._index = 0
        self._clients: dict[str, _Affinity] = {}

    def next(self, client: str, now: float, *, reset: bool = False) -> str | None:
        """The endpoint for a connection of ``client`` (its address), None where there are no endpoints.

        ``reset`` says that the client's own endpoint did not answer: it gets the next one and keeps that.
        """
        if not self.endpoints:
            return None
        if self.affinity_seconds and not reset:
            kept = self._clients.get(client)
            # Whole seconds count, as kube-proxy compares them.
            if kept is not None and int(now - kept.last_used) < self.affinity_seconds:
                self._keep(client, kept.endpoint, now)
                return kept.endpoint
        endpoint = self.endpoints[self._index]
        self._index = (self._index + 1) % len(self.endpoints)
        if self.affinity_seconds:
            self._keep(client, endpoint, now)
        return endpoint

    def _keep(self, client: str, endpoint: str, now: float) -> None:
        """Remember a client, and forget those whose time is over: the ones used longest ago stand first."""
        self._clients.pop(client, None)
        self._clients[client] = _Affinity(endpoint, now)
        while int(now - next(iter(self._clients.values())).last_used) >= self.affinity_seconds:
            del self._clients[next(iter(self._clients))]
