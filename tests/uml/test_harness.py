"""The kernel that other tests run their programs in."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.uml import harness
from tests.uml.harness import Machine

pytestmark = [pytest.mark.uml, pytest.mark.xdist_group("uml")]


def test_programs_say_what_they_print_and_how_they_end(uml: Machine) -> None:
    result = uml.run("echo out; echo err >&2; exit 3")
    assert (result.code, result.stdout, result.stderr) == (3, "out\n", "err\n")


def test_each_program_has_a_network_of_its_own(uml: Machine) -> None:
    assert uml.run("ip link add kube-ipvs0 type dummy").code == 0
    names = [line.split()[0] for line in uml.run("ip -br link").stdout.splitlines()]
    assert names == ["lo"]


def test_files_are_shared_with_the_host(uml: Machine) -> None:
    (uml.folder / "given").write_text("from the host\n")
    uml.run("tr a-z A-Z <given >returned")
    assert (uml.folder / "returned").read_text() == "FROM THE HOST\n"


def test_the_kernel_loads_what_is_asked_for(uml: Machine) -> None:
    result = uml.run("ipvsadm -A -t 192.0.2.1:80 -s lblcr && ipvsadm -Sn")
    assert (result.code, result.stdout, result.stderr) == (0, "-A -t 192.0.2.1:80 -s lblcr\n", "")


def test_a_program_that_does_not_end_is_told_of_and_the_next_one_runs(uml: Machine) -> None:
    with pytest.raises(AssertionError, match=r"not done after 5 s; it said: begun"):
        uml.run("echo begun; sleep 60", seconds=5)
    assert uml.run("echo here").stdout == "here\n"


def running(folder: Path) -> list[str]:
    """Processes that were started with something of this folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes()
        except OSError:
            continue
        if f"init={folder}/".encode() in words:
            found.append(place.parent.name)
    return found


def test_a_kernel_does_not_outlive_tests_that_are_killed(tmp_path: Path) -> None:
    harness.need()
    program = (
        "import sys, time, pathlib\n"
        "from tests.uml.harness import Machine\n"
        "machine = Machine(pathlib.Path(sys.argv[1]), 64)\n"
        "print('booted', flush=True)\n"
        "time.sleep(600)\n"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        assert tests.stdout.readline() == "booted\n"
        assert running(tmp_path)
        tests.kill()
    deadline = time.monotonic() + 20
    while running(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert running(tmp_path) == []
