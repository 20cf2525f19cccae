"""etcd, kube-apiserver, kube-controller-manager and CoreDNS, on the loopback of a network namespace.

Everything is started here and ended here, whatever happens in between: a program also ends when its parent
does. Nothing listens outside of the namespace that this process is in.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

SERVICE_CIDRS = "10.96.0.0/12,fd00:10:96::/112"
TOKEN = "token-of-the-recorder"
CONTROLLERS = (
    "endpointslice-controller",
    "endpointslice-mirroring-controller",
    "endpoints-controller",
    "deployment-controller",
    "replicaset-controller",
    "namespace-controller",
)
START_SECONDS = 120
COMMAND_SECONDS = 60

_KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "{server}", insecure-skip-tls-verify: true}}}}]
users: [{{name: u, user: {{token: {token}}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x
"""

_COREFILE = """\
.:{port} {{
    bind 127.0.0.1
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
    }}
}}
"""


class Answer(NamedTuple):
    """What the API server said: the HTTP code and the object."""

    code: int
    body: dict[str, Any]


class Ran(NamedTuple):
    """What a program left behind."""

    code: int
    stdout: str
    stderr: str


class Plane:
    """A running control plane; a context manager that ends it.

    ``programs`` is the folder that build.sh made, ``folder`` one for its files. Raises RuntimeError where a
    program does not come up, with the end of what it said.
    """

    def __init__(self, programs: Path, folder: Path, *, address: str = "127.0.0.1") -> None:
        self.programs, self.folder = programs, folder
        self.address = address
        self.port, self.dns_port = _free_port(), _free_port()
        self._started: list[subprocess.Popen[bytes]] = []
        self._connection: http.client.HTTPSConnection | None = None
        self._context = ssl._create_unverified_context()

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for program in reversed(self._started):
            program.terminate()
        for program in reversed(self._started):
            try:
                program.wait(10)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        self._started.clear()

    def _start(self) -> None:
        folder, clients, peers = self.folder, _free_port(), _free_port()
        key = folder / "key.pem"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        (folder / "tokens.csv").write_text(f"{TOKEN},recorder,recorder,system:masters\n")
        config = _KUBECONFIG.format(server=f"https://127.0.0.1:{self.port}", token=TOKEN)
        self.kubeconfig.write_text(config)
        (folder / "Corefile").write_text(
            _COREFILE.format(port=self.dns_port, kubeconfig=self.kubeconfig), encoding="utf-8"
        )
        etcd, peer = f"http://127.0.0.1:{clients}", f"http://127.0.0.1:{peers}"
        self._run(
            "etcd", f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync", "--log-level=error",
            f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        )  # fmt: skip
        self._run(
            "kube-apiserver", f"--etcd-servers={etcd}", f"--secure-port={self.port}",
            f"--bind-address={self.address}", "--advertise-address=192.0.2.1",
            f"--cert-dir={folder / 'certs'}",
            f"--service-cluster-ip-range={SERVICE_CIDRS}", f"--token-auth-file={folder / 'tokens.csv'}",
            f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc", "--authorization-mode=RBAC",
            "--endpoint-reconciler-type=none", "--disable-admission-plugins=ServiceAccount",
        )  # fmt: skip
        self._until(lambda: self.request("GET", "/readyz").code == 200, "kube-apiserver")
        self._run(
            "kube-controller-manager", f"--kubeconfig={self.kubeconfig}", "--leader-elect=false",
            f"--controllers={','.join(CONTROLLERS)}", "--secure-port=0",
        )  # fmt: skip
        self._run("coredns", "-conf", str(folder / "Corefile"))
        self._until(lambda: self.request("GET", "/api/v1/namespaces/default").code == 200, "the namespaces")

    def _run(self, program: str, *arguments: str) -> None:
        log = (self.folder / f"{program}.log").open("wb")
        command = ["setpriv", "--pdeathsig=KILL", str(self.programs / program), *arguments]
        self._started.append(
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        )

    def _until(self, came: Any, what: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                if came():
                    return
            except OSError:
                pass
            for program in self._started:
                if program.poll() is not None:
                    raise RuntimeError(f"{Path(program.args[2]).name} has ended\n{self.said()}")
            time.sleep(0.2)
        raise RuntimeError(f"{what} did not come up within {START_SECONDS} s\n{self.said()}")

    def said(self) -> str:
        """The end of every log."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join([f"{log.name}: {log.read_text(errors='replace')[-600:]}" for log in logs])

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, kind: str = "application/json"
    ) -> Answer:
        """Ask the API server. Raises OSError where it does not answer."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind, "Accept": "application/json"}
        text = None if body is None else json.dumps(body)
        for trial in (0, 1):
            if self._connection is None:
                self._connection = http.client.HTTPSConnection(
                    "127.0.0.1", self.port, timeout=COMMAND_SECONDS, context=self._context
                )
            try:
                self._connection.request(method, path, text, headers)
                answer = self._connection.getresponse()
                content = answer.read()
                break
            except (OSError, http.client.HTTPException) as error:
                self._connection = None
                if trial:
                    raise OSError(str(error)) from error
        try:
            told = json.loads(content)
        except ValueError:
            told = {"message": content.decode("utf-8", "replace")}
        return Answer(answer.status, told)

    def made(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object. Raises RuntimeError where that is refused."""
        answer = self.request("POST", path, body)
        if answer.code != 201:
            raise RuntimeError(f"{path}: {answer.code}: {answer.body.get('message')}")
        return answer.body

    def listed(self, path: str) -> list[dict[str, Any]]:
        """The items of a list, each with its kind and version."""
        answer = self.request("GET", path)
        if answer.code != 200:
            raise RuntimeError(f"{path}: {answer.code}: {answer.body.get('message')}")
        about = {
            "apiVersion": answer.body["apiVersion"],
            "kind": answer.body["kind"].removesuffix("List"),
        }
        return [about | item for item in answer.body["items"] or ()]

    def kubectl(self, arguments: Sequence[str]) -> Ran:
        done = subprocess.run(
            [str(self.programs / "kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments],
            capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder)},
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def in_own_namespace() -> None:
    """Go on in a network namespace of this process's own, whose loopback is up.

    As root; else in a user namespace, where the kernel allows that. The process is replaced by itself.
    """
    if os.environ.get("RULEGEN_CLUSTER") == "inside":
        return
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    inside = 'ip link set lo up && exec "$@"'
    command = ["unshare", *user, "--net", "--mount", "--", "sh", "-c", inside, "sh", sys.executable]
    os.environ["RULEGEN_CLUSTER"] = "inside"
    os.execvp(command[0], [*command, *sys.orig_argv[1:]])


def ends_on_signals() -> None:
    """A signal ends the process as an error does, so that what was started is ended, too."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
