"""Which KubeArmor policies are deployed, what each selects, and what each did.

What belongs here: what an object of the API server says (`objects`, `policy`), who is selected
(`selector`, `selection`), the state of a policy as one document (`document`), what changed
(`diff`), and the thread that keeps all this up to date (`watch`). Forbidden: asking stores for
events, showing anything, writing to a cluster.
"""
