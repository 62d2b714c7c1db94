"""What a relay's streams say, and why one of them says nothing.

Invariant: silence alone is never a failure: a quiet cluster is a good one. The mends are commands
of kubectl with the names that KubeArmor's own installers give. Listening must not go here.
"""

from collections.abc import Iterator, Mapping, Sequence

from armorstack.config import RelaySource
from armorstack.doctor.ears import StreamEar
from armorstack.doctor.finding import Finding, failure, note, ok, warning
from armorstack.doctor.heard import Heard
from armorstack.doctor.words import number, span

POLICIES = "kubectl get ksp,hsp,csp -A"
CONFIG = "kubectl -n kubearmor edit cm kubearmor-config"
OPERATOR = "kubectl -n kubearmor edit kubearmorconfigs"
VISIBILITY = "process,file,network,capabilities"
NO_POLICIES = (
    f"{POLICIES}   # is one deployed at all?",
    f"{CONFIG}   # for what no policy allows: defaultFilePosture and its companions",
)
NO_VISIBILITY = (
    f"kubectl annotate ns NAME kubearmor-visibility={VISIBILITY} --overwrite",
    f"{CONFIG}   # for all namespaces: visibility: {VISIBILITY}",
    f"{OPERATOR}   # where the operator made that map: defaultVisibility under spec",
)
NO_NODES = (
    "kubectl -n kubearmor logs deploy/kubearmor-relay   # does it name your nodes, or `forbidden`?",
    "kubectl auth can-i list pods -A --as=system:serviceaccount:kubearmor:kubearmor-relay",
    "kubectl get pods -A -l kubearmor-app=kubearmor -o wide   # one that runs on each node?",
    f"{POLICIES}   # a cluster without policies and visibility is silent, too",
)
THROTTLING = (
    f'{CONFIG}   # raise maxAlertPerSec, lower throttleSec, or alertThrottling: "false"',
    f"{OPERATOR}   # where the operator made that map: the same names under spec",
)
PLURALS = {"alert": "alerts", "log": "logs", "message": "messages"}
_MOST_PODS = 5


def check_streams(
    settings: RelaySource, ears: Sequence[StreamEar], heard: Mapping[str, Heard], listen_s: float
) -> Iterator[Finding]:
    """The streams of one relay; `heard` is by stream."""
    at = settings.address
    broken = [ear for ear in ears if ear.error]
    for ear in broken:
        assert ear.error is not None
        mend = [ear.error.hint] if ear.error.hint else []
        yield failure(f"relay.{PLURALS[ear.stream]}", str(ear.error), *mend, subject=at)
    open_ears = [ear for ear in ears if not ear.error]
    if open_ears and not any(ear.count for ear in ears):
        yield _silent(settings, open_ears, listen_s)
        return
    for ear in open_ears:
        yield _check_stream(ear, heard[ear.stream], listen_s, at)
    for part in heard.values():
        yield from _check_throttling(part, at)
        yield from _check_decoding(part, at)


def _silent(settings: RelaySource, ears: Sequence[StreamEar], listen_s: float) -> Finding:
    which = ", ".join(PLURALS[ear.stream] for ear in ears)
    told = f"{which}: attached, and nothing came in {span(listen_s)}: the relay may know no nodes"
    return warning("relay.silent", told, *NO_NODES, subject=settings.address)


def _check_stream(ear: StreamEar, heard: Heard, listen_s: float, at: str) -> Finding:
    kind = PLURALS[ear.stream]
    check = f"relay.{kind}"
    if ear.count:
        nodes = f" from {number(len(heard.offsets_s), 'node')}" if heard.offsets_s else ""
        return ok(check, f"{number(ear.count, ear.stream)} in {span(listen_s)}{nodes}", at)
    told = f"attached, and no {kind} in {span(listen_s)}"
    if ear.stream == "alert":
        return note(
            check, f"{told}: no policy is deployed, or none violated", *NO_POLICIES, subject=at
        )
    if ear.stream == "log":
        return warning(check, f"{told}: visibility may be off", *NO_VISIBILITY, subject=at)
    return ok(check, f"{told}, as is normal: KubeArmor sends them only with -debug", at)


def _check_throttling(heard: Heard, at: str) -> Iterator[Finding]:
    if heard.throttled:
        names = ", ".join(heard.throttled[:_MOST_PODS])
        more = len(heard.throttled) - _MOST_PODS
        pods = names + (f" and {more} more" if more > 0 else "")
        told = f"KubeArmor drops alerts before they reach the relay (throttling): {pods}"
        yield warning("relay.throttling", told, *THROTTLING, subject=at)


def _check_decoding(heard: Heard, at: str) -> Iterator[Finding]:
    if heard.rejected:
        told = f"{number(heard.rejected, 'message')} cannot be decoded: {heard.reason}"
        mend = "armorstack keeps such as dead letters: armorstack deadletters list"
        yield warning("relay.decoding", told, mend, subject=at)
