"""One relay, from its name to a HealthCheck that it echoes.

Invariant: a step that fails ends the examination of this relay, so that one cause is told once.
Events must not go here.
"""

from collections.abc import Callable, Iterator

from armorstack.config import RelaySource, source_name
from armorstack.doctor.ears import StreamEar
from armorstack.doctor.finding import Finding, failure, note, ok
from armorstack.doctor.processes import Scene
from armorstack.doctor.reach import (
    CA_FILE,
    PORT_FORWARD,
    RELAY_STATE,
    USE_CA,
    check_tls,
    connect,
    resolve,
    speaks_tls,
)
from armorstack.errors import RelayRefused, SourceError
from armorstack.sources.relay_link import Link
from armorstack.sources.relay_wire import Stream

REFUSED = "is not a KubeArmor relay: "
OTHER_PEER = " speaks "
"""In the source's own sentences on peers that answer in something else than gRPC."""


def check_relay(settings: RelaySource, tell: Callable[[str], None]) -> Iterator[Finding]:
    """Every step that can be taken; the last finding is no failure when it can be listened to."""
    at = settings.address
    tell(f"{at}: looking up its name")
    finding, addresses = resolve(settings)
    yield finding
    if not addresses:
        return
    tell(f"{at}: connecting")
    finding, address = connect(settings, addresses)
    yield finding
    if not address:
        return
    if settings.tls is not None:
        tell(f"{at}: TLS")
        found = list(check_tls(settings, settings.tls, address))
        yield from found
        if any(each.status == "failure" for each in found):
            return
    tell(f"{at}: HealthCheck")
    yield _check_health(settings, address)


def _check_health(settings: RelaySource, address: str) -> Finding:
    at, check = settings.address, "relay.health"
    try:
        link = Link(settings, settings.keepalive_s)
        try:
            link.check_health()
        finally:
            link.close()
    except SourceError as error:
        return _explain(error, settings, address)
    return ok(check, "it echoes HealthCheck: a KubeArmor relay, or a node's own KubeArmor", at)


def _explain(error: SourceError, settings: RelaySource, address: str) -> Finding:
    at, check = settings.address, "relay.health"
    hint = [error.hint] if error.hint else []
    if isinstance(error, RelayRefused):
        _, _, why = str(error).rpartition(REFUSED)
        return _answers_otherwise(at, why)
    if settings.tls is None and speaks_tls(settings, address):
        told = f"{at} speaks TLS, and this source does not ask for it"
        return failure("relay.tls", told, CA_FILE, USE_CA, subject=at)
    if OTHER_PEER in str(error):
        return _answers_otherwise(at, str(error))
    return failure(check, str(error), *hint, RELAY_STATE, subject=at)


def _answers_otherwise(at: str, why: str) -> Finding:
    told = f"{at} answers, but not as a KubeArmor relay: {why}"
    return failure("relay.health", told, RELAY_STATE, PORT_FORWARD, subject=at)


def ears_of(settings: RelaySource) -> list[StreamEar]:
    """One per stream that the settings want."""
    wanted: dict[Stream, str] = {
        "alert": settings.alerts, "log": settings.logs, "message": settings.messages,
    }  # fmt: skip
    return [StreamEar(settings, stream, name) for stream, name in wanted.items() if name != "off"]


def check_sharing(settings: RelaySource, scene: Scene) -> Iterator[Finding]:
    """Say that listening takes nothing from the running receiver."""
    sources = scene.receiver.sources if scene.receiver and scene.receiver_lives else ()
    if any(source.name == source_name(settings) for source in sources):
        told = "the running receiver reads it, too; a relay serves each client by itself"
        yield note("relay.shared", told, subject=settings.address)
