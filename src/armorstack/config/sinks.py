"""Where events go: one struct per kind of sink."""

from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec import Meta, Struct

from armorstack.config.scalars import MIB, Count, Positive, Seconds
from armorstack.config.select import Select

Form = Literal["ecs", "kubearmor"]


class AnySink(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", kw_only=True):
    """What every sink has."""

    required: bool = True
    """Whether the spool keeps what this sink has not taken yet, however long that is."""
    max_lag_s: Seconds = 600.0
    """Seconds that the spool waits for it where it is not required; what is older is passed over,
    counted, and told as a gap."""


class DuckdbSink(AnySink, frozen=True, tag="duckdb"):
    """The embedded store: Parquet parts by event day, a catalogue and a tail in memory."""

    path: str = ""
    """Folder of the store; empty: `store` in the data folder."""
    max_age_days: Annotated[float, Meta(ge=0)] = 30.0
    """Days of events kept, by event time; 0: for ever."""
    max_bytes: Count = 0
    """Disk that the store may take; the oldest day goes first; 0: no limit."""
    part_rows: Positive = 100_000
    """Rows in the tail that are written out as a part."""
    part_interval_s: Seconds = 300.0
    """Longest time a row stays in the tail (it is searchable there, and durable in the spool)."""
    memory_bytes: Positive = 128 * MIB
    """DuckDB's own `memory_limit`."""
    keep_original: bool = False
    """Keep each event's bytes as they came, besides the columns."""


class FileSink(AnySink, frozen=True, tag="file"):
    """Events as lines of JSON in a file, rotated and compressed."""

    path: str
    """The file; rotated ones lie beside it, as `NAME-TIME.EXT.gz`."""
    form: Form = "ecs"
    """`ecs`: Elastic Common Schema; `kubearmor`: as KubeArmor's own relay prints them."""
    rotate_bytes: Positive = 128 * MIB
    """Size at which the file is rotated."""
    rotate_interval_s: Seconds = 86_400.0
    """Longest time that events go into one file."""
    keep: Count = 14
    """Rotated files that are kept; the oldest go first, counted; 0: all of them."""
    compress: bool = True
    """Whether rotated files are compressed with gzip."""
    sync_interval_s: Seconds = 1.0
    """Longest time between two fsyncs; the spool keeps what is not synced yet."""


class StdoutSink(AnySink, frozen=True, tag="stdout"):
    """Events as lines of JSON on the standard output."""

    form: Form = "ecs"
    """`ecs`: Elastic Common Schema; `kubearmor`: as KubeArmor's own relay prints them."""


class WebhookSink(AnySink, frozen=True, tag="webhook"):
    """Events as HTTP POSTs to a person's chat or a program, few and readable."""

    required: bool = False
    """Whether the spool keeps what this sink has not taken yet, however long that is."""
    url: str = ""
    """Where to; `https://`, or `http://` to an address in `allowed_networks`."""
    url_file: str = ""
    """File that holds the URL, where the URL itself is a secret (Slack, Teams)."""
    token_file: str = ""
    """File that holds a bearer token for the Authorization header."""
    ca_file: str = ""
    """PEM file of the authorities to trust; empty: the system's."""
    allowed_networks: tuple[str, ...] = ()
    """Private networks (CIDR) that may be addressed; others are refused."""
    form: Literal["json", "slack", "teams"] = "json"
    """What the body is: our own JSON, Slack's or Teams's message."""
    min_severity: Annotated[int, Meta(ge=0, le=10)] = 0
    """Events below are not sent; above 0, neither are those without a severity."""
    select: Select = Select()
    """Events that are sent; further ones are left out."""
    max_events: Annotated[int, Meta(gt=0, le=1000)] = 20
    """Most kinds of events in one message; repeats count as one kind."""
    per_minute: Positive = 30
    """Most messages in a minute; the rest waits in the spool, folded."""
    timeout_s: Annotated[float, Meta(gt=0, le=30)] = 5.0
    """Time for one message, from the name's resolution to the answer's end."""


class ElasticSink(AnySink, frozen=True, tag="elastic"):
    """Elasticsearch (8, 9) or OpenSearch (2, 3): indices by event time, each event once."""

    urls: tuple[str, ...] = ("http://127.0.0.1:9200",)
    """Nodes that are asked, in turn; `https://` with certificates verified."""
    engine: Literal["auto", "elasticsearch", "opensearch"] = "auto"
    """Which of the two it is; `auto` asks the server."""
    username: str = ""
    """User for basic authentication; its password is in `password_file`."""
    password_file: str = ""
    """File that holds the password; read anew when it changes, as all of these are."""
    api_key_file: str = ""
    """File that holds an API key, encoded or as `id:key`."""
    token_file: str = ""
    """File that holds a bearer token."""
    ca_file: str = ""
    """PEM file of the authorities to trust; empty: the system's."""
    fingerprint: str = ""
    """SHA-256 of the server's own certificate, in hex, instead of authorities; it is then trusted
    whatever its dates and names are."""
    cert_file: str = ""
    """PEM file with our certificate chain, where the server asks for one."""
    key_file: str = ""
    """PEM file with its private key, without a password."""
    sniff: bool = False
    """Ask the cluster for its other nodes, and send to these as well."""
    prefix: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_.]*\Z", max_length=60)] = "kubearmor"
    """How the names of all indices begin: `PREFIX-alerts-2026.11.23`."""
    period: Literal["day", "week", "month"] = "day"
    """How much event time goes into one index."""
    max_age_days: Annotated[float, Meta(ge=0)] = 30.0
    """Days of events kept, by event time; whole indices are deleted; 0: for ever."""
    max_bytes: Count = 0
    """Size on disk of all our indices, copies not counted; the oldest goes first; 0: no limit."""
    shards: Positive = 1
    """Primary shards of each index."""
    replicas: Count = 1
    """Copies of each shard on other nodes."""
    policy: str = ""
    """ILM or ISM policy that new indices get, for tiers; retention stays ours unless 0."""
    setup: bool = True
    """Apply index templates at the start where they are missing or older; needs the right to."""
    batch_bytes: Annotated[int, Meta(ge=100_000, le=90_000_000)] = 4 * MIB
    """Most bytes of one bulk request before it is compressed."""
    batch_events: Positive = 4000
    """Most events of one bulk request."""
    concurrency: Annotated[int, Meta(ge=1, le=32)] = 4
    """Most bulk requests at once; fewer while the engine is slow or says that it has enough."""
    compress: bool = True
    """Send bulk requests packed with gzip."""
    timeout_s: Annotated[float, Meta(ge=1, le=600)] = 60.0
    """Longest silence within a request."""
    keep_original: bool = False
    """Keep each event's bytes as they came, in event.original."""


Sink = DuckdbSink | FileSink | StdoutSink | WebhookSink | ElasticSink


def first_searched(sinks: Iterable[Sink]) -> DuckdbSink | ElasticSink | None:
    """The first of these that keeps events so that they can be searched; None: none does."""
    return next((sink for sink in sinks if isinstance(sink, DuckdbSink | ElasticSink)), None)
