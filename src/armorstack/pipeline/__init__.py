"""The worker's inside: from the spool through decoding into the sinks.

What belongs here: the loop that moves batches, with its waits, its retries and its counts. One
thread per sink. Every batch has one of three fates: committed, kept in the spool for another
attempt, set aside as dead letters.
Forbidden: knowing an engine, opening a spool for writing, HTTP.
"""
