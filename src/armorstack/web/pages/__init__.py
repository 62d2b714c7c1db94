"""One module per page: what it asks the store, and what its template is given.

What belongs here: `routes(desk)` and the shapes that templates show.
Forbidden: HTML in Python, sources and sinks, any store but the one of `desk.store_for`.
"""
