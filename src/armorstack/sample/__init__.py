"""A relay of our own for first steps and tests: recorded events, and one scripted incident.

What belongs here: the recorded events of real KubeArmor nodes (`data/`, replayed as they were but
for their times), the incident that no recording has, and a gRPC server that hands both out as
KubeArmor's relay does. Everything invented is marked so that nobody can take it for real: see
`incident.py`. Forbidden: any import from sources, sinks or the spool; being part of the receiver
(the sample relay is a process of its own, so that the real client path runs).
"""
