"""Every event that KubeArmor reports: kept, searchable within seconds.

What belongs here: the version, and nothing that runs. Each package below says in its own
`__init__.py` what it is for and what it must not do; `ARCHITECTURE.md` shows how they fit.
"""

__version__ = "0.1.0"
