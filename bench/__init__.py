"""Measures what armorstack costs per event, against a bare gRPC receive in the same run.

What belongs here: the corpus, the load source (a relay that can send 40,000 events/s and more),
the stages that are measured, and the report. Forbidden: being imported by `armorstack`, and
measuring anything but processes started here, by their ids.
"""
