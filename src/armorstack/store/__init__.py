"""The read side: events that lie on disk, asked beside whoever has the store open.

What belongs here: finding parts, SQL over them, what is made of the answers. Invariant: nothing in
the store's folder is made, locked or changed. Forbidden: writing events, pages, printing.
"""
