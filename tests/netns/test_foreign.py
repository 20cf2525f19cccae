"""What others have in a namespace stays as it is, byte for byte, whatever is applied."""

from __future__ import annotations

import pytest

from rulegen.iptables.dump import Variant
from rulegen.netns.programs import cleanup
from tests.netns.lab import WAYS, Lab, first, second
from tests.netns.others import latecomers, neighbours

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_neighbours_are_left_alone_by_every_apply_and_by_cleanup(lab: Lab, way: tuple[str, Variant]) -> None:
    neighbours(lab.namespace)
    before = lab.dumps()
    around = lab.foreign()
    lab.apply(first(), *way)
    assert lab.foreign() == around
    latecomers(lab.namespace)
    around = lab.foreign()
    for objects in (second(), first(), second()):
        assert lab.apply(objects, *way).steps
        assert lab.foreign() == around
    cleanup(lab.target)
    assert lab.foreign() == around
    assert all("KUBE-" not in text.replace("KUBE-KUBELET-CANARY", "") for text in _rules(lab).values())
    assert before.keys() == lab.dumps().keys()


def _rules(lab: Lab) -> dict[str, str]:
    # KUBE-FIREWALL stays where kubelet has been.
    return {
        command: "".join(line for line in text.splitlines(True) if "KUBE-FIREWALL" not in line)
        for command, text in lab.dumps().items()
        if command.endswith("-save")
    }
