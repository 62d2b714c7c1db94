"""Real search engines for tests: OpenSearch and Elasticsearch, one node each, on loopback.

They are fetched by `scripts/setup --engines` into a cache outside the tree and never become part of
it. Servers refuse to run as root, so root gives them to nobody; then cache and data lie where
nobody may read. Invariant: no server outlives the process that started it, and the one that
answers on a port is ours. Must not go here: what a test asks.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from tests.support.tools import missing

Kind = Literal["opensearch", "elasticsearch"]
VERSIONS: Mapping[Kind, str] = {"opensearch": "2.19.3", "elasticsearch": "8.19.0"}
HINT = "scripts/setup --engines"
START_S = 300.0
"""On a busy machine a server takes two minutes."""
NOBODY = 65534
_LOG = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d][%-5p][%c{1.}] %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""
_JVM = "-XX:+UseSerialGC\n-Djava.io.tmpdir=${ES_TMPDIR}\n-XX:+ExitOnOutOfMemoryError\n"


def cache() -> Path:
    """Where the engines lie; `scripts/setup` has the same rule."""
    if told := os.environ.get("ARMORSTACK_TEST_CACHE"):
        return Path(told)
    if os.getuid() == 0:
        return Path("/var/cache/armorstack-tests")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "armorstack-tests"


class Server:
    """One node. Its data stays over `restart`."""

    def __init__(
        self, kind: Kind, folder: Path, *, heap: str = "512m", settings: Mapping[str, Any] = {}
    ) -> None:
        self.kind, self._folder, self._heap, self._settings = kind, folder, heap, dict(settings)
        self.home = cache() / f"{kind}-{VERSIONS[kind]}"
        self.port, self.transport_port = free_port(), free_port()
        self.name = f"armorstack-{folder.name}"
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers, by its own name."""
        self._write_config()
        command, environment = self._command()
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_as_nobody(), *command], env=environment, cwd=self._folder, stdout=log,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.kind} did not start:\n{self.log()[-3000:]}")
            time.sleep(0.5)

    def kill(self) -> None:
        """kill -9 of all its processes."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)

    def restart(self) -> None:
        """Kill it, and start it over the same data."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """It answers nothing any more, and keeps its connections."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        os.killpg(self.pid, signal.SIGCONT)

    def log(self) -> str:
        """What it said."""
        return (self._folder / "log").read_text(errors="replace")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer as JSON; raises urllib.error.HTTPError."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def _is_ready(self) -> bool:
        try:
            nodes = self.ask("GET", "/_nodes/_local?filter_path=nodes.*.name")["nodes"]
            names = [node["name"] for node in nodes.values()]
            health = self.ask("GET", "/_cluster/health?filter_path=status")
        except (OSError, ValueError, KeyError):
            return False
        # Somebody else on this port would be a fault, not a server that is not ready.
        assert names == [self.name], names
        return health.get("status") in ("green", "yellow")

    def _write_config(self) -> None:
        config = self._folder / "config"
        for name in ("config", "data", "logs", "tmp"):
            (self._folder / name).mkdir(exist_ok=True)
        for file in (self.home / "config").iterdir():
            if file.is_file():
                shutil.copy(file, config / file.name)
        (config / "log4j2.properties").write_text(_LOG)
        known = {
            "cluster.name": self.name, "node.name": self.name, "path.data": "data",
            "path.logs": "logs", "http.host": "127.0.0.1", "http.port": self.port,
            "transport.host": "127.0.0.1", "transport.port": self.transport_port,
            "discovery.type": "single-node",
            "cluster.routing.allocation.disk.threshold_enabled": False,
        }  # fmt: skip
        known |= {name: str(self._folder / known[name]) for name in ("path.data", "path.logs")}
        if self.kind == "elasticsearch":
            known["xpack.security.enabled"] = False
            (config / "jvm.options").write_text(_JVM)
        lines = (
            f"{name}: {json.dumps(value)}\n" for name, value in (known | self._settings).items()
        )
        (config / f"{self.kind}.yml").write_text("".join(lines))
        if os.getuid() == 0:
            for path in (self._folder, *self._folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY)

    def _command(self) -> tuple[list[str], dict[str, str]]:
        java = shutil.which("java") or "java"
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._folder)}
        heap = [f"-Xms{self._heap}", f"-Xmx{self._heap}"]
        config, scratch = self._folder / "config", self._folder / "tmp"
        if self.kind == "elasticsearch":
            environment |= {
                "ES_JAVA_HOME": str(Path(java).resolve().parent.parent),
                "ES_PATH_CONF": str(config), "ES_TMPDIR": str(scratch),
                "ES_JAVA_OPTS": " ".join([*heap, "-XX:-UsePerfData"]),
            }  # fmt: skip
            return [str(self.home / "bin" / "elasticsearch")], environment
        options = [
            *heap, "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError",
            f"-Djava.io.tmpdir={scratch}", "-Djava.security.manager=allow", "-Djna.nosys=true",
            "-Dlog4j2.disable.jmx=true", "-Djava.locale.providers=SPI,CLDR",
            "-Dio.netty.allocator.numDirectArenas=0", "-XX:MaxDirectMemorySize=256m",
            "-Djava.util.concurrent.ForkJoinPool.common.threadFactory="
            "org.opensearch.secure_sm.SecuredForkJoinWorkerThreadFactory",
            f"-Dopensearch.path.home={self.home}", f"-Dopensearch.path.conf={config}",
            "-Dopensearch.distribution.type=tar", "-Dopensearch.bundled_jdk=false",
        ]  # fmt: skip
        main = ["-cp", f"{self.home}/lib/*", "org.opensearch.bootstrap.OpenSearch"]
        return [java, *options, *main], environment


@contextmanager
def running(kind: Kind, **options: Any) -> Iterator[Server]:
    """A server that is ready. Skips where it was not fetched; under CI that is a failure."""
    home = cache() / f"{kind}-{VERSIONS[kind]}"
    if not (home / "lib").is_dir() or not shutil.which("java"):
        missing(f"{kind} {VERSIONS[kind]} or Java is not there", HINT)
    with tempfile.TemporaryDirectory(
        prefix=f"armorstack-{kind}-", ignore_cleanup_errors=True
    ) as at:
        Path(at).chmod(0o755)
        server = Server(kind, Path(at), **options)
        try:
            server.start()
            yield server
        finally:
            server.kill()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _as_nobody() -> list[str]:
    """It goes when we go, and is nobody's where we are root."""
    if shutil.which("setpriv") is None:
        return []
    user = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.getuid() == 0 else []
    return ["setpriv", "--pdeathsig", "KILL", *user]
