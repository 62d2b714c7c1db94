"""`armorstack doctor`: looks at everything an installation stands on, and says what mends it.

What belongs here: checks, one small function each, that return `Finding` values and raise nothing
that is to be expected; listening to sources for a few seconds; the lines people read. Forbidden:
mending anything, and writing into the spool or the store. A lock is looked up, never waited for.

A new check is a function in the module of its subject, called from there or from `examination.py`.
"""
