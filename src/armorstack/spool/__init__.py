"""The durable buffer: append, read, commit, set aside.

What belongs here: bytes on disk and their order. A row is a batch of raw frames with the name of
its source, its stream and its encoding, which the spool stores and never interprets.
Forbidden: knowing what an event is, decoding, any import from sources, sinks or engines.

Two files lie in the spool's folder. `spool.db` is written by one process, the receiver; `work.db`
holds what the worker says (cursors and dead letters). So neither process ever waits for the
other's lock.
"""
