"""The query language for people, and what a question to a store is; pure.

What belongs here: names of fields as people type them, the tree of a query, its parser with faults
that point at the column, and plain evaluation, which says what a query means. Forbidden: SQL, an
engine's query, anything that knows where events lie; `store/` compiles the tree.
"""
