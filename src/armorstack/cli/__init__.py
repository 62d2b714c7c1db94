"""The command line: one file per command, named like it.

What belongs here: reading options, building what they ask for, calling it, printing the answer.
Forbidden: logic. A command that needs a loop over events or a decision calls a room that has it.
Each module exposes `command`; `main.py` lists them and imports one only when it is used.
"""
