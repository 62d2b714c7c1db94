"""The HTTP side: health, readiness, metrics, and later the pages.

What belongs here: answers built from states and stores that were handed in.
Forbidden: query engines, sinks, sources, the spool; changing anything; trusting the text of events.
"""
