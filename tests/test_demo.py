"""`make demo` is the first thing that anybody runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_demo_tells_the_beginners_story_to_its_end(tmp_path: Path) -> None:
    command = tmp_path / "rulegen"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rulegen.cli.main "$@"\n')
    command.chmod(0o755)
    done = subprocess.run(
        ["sh", str(ROOT / "fixtures" / "demo.sh")],
        env={**os.environ, "RULEGEN": str(command), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    headings = [line for line in done.stdout.splitlines() if line.startswith("## ")]
    assert len(headings) == 12
    chapter = (
        "  - nodePort: 30651\n    port: 80\n",
        "default/ngx-svc-8c5g8   80/TCP   10.10.1.86    ngx-dep-2   n2 ",
        "Endpoints:                10.10.0.232:80,10.10.1.86:80\n",
        "ngx-svc is ngx-svc.default.svc.cluster.local.: 10.96.240.115\n",
        ":KUBE-EXT-DQYKF4NVSQPF2JO7 - [0:0]\n",
        "KUBE-SEP-XWG4OMELOYUSY7NQ  -> 10.10.1.86:80  (pod ngx-dep-2, node n2)\n",
        "192.168.10.1:30651/tcp   node port: 2 real servers",
        "to the proxy, port 27246\n",
        "50.0% -> 10.10.1.86:80 via KUBE-EXT-DQYKF4NVSQPF2JO7",
        "10.10.1.90:80    ngx-dep-3   n2     -        yes       no      ready\n",
        "-X KUBE-SEP-XWG4OMELOYUSY7NQ\n",
        "  - endpoint 10.10.1.86:80\n  + endpoint 10.10.1.90:80\n1 service port changed in IPv4: 444 bytes\n",
    )
    places = [done.stdout.find(each) for each in chapter]
    assert -1 not in places and places == sorted(places), "told in this order"
    assert done.stdout.endswith(chapter[-1])
