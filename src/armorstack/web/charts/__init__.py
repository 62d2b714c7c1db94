"""Charts: answers of a store become inline SVG and HTML.

What belongs here: pure functions from numbers and texts to `Markup`. Invariants: whatever an event
says is made printable and escaped here, once; no style attribute, no script, no event handler, so
that a strict policy of content holds; colour is never the only difference; every picture has the
same numbers beside it as text. Forbidden: asking stores, reading a clock, knowing a request.
"""
