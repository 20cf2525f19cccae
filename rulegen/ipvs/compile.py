"""From a plan to the objects of the ipvs mode."""

from __future__ import annotations

from rulegen.ipvs.base import settings
from rulegen.ipvs.fragment import fragment
from rulegen.ipvs.ruleset import Ruleset
from rulegen.plan import Plan


def compile_rules(plan: Plan) -> Ruleset:
    """What kube-proxy programs in ipvs mode; the same plan always gives the same bytes.

    Raises ValueError for what cannot be the name of a scheduler.
    """
    node = settings(plan.machine)
    node_ip = plan.machine.node_ip
    fragments = {planned.port.key: fragment(planned, node, node_ip) for planned in plan.ports}
    return Ruleset(node, fragments)
