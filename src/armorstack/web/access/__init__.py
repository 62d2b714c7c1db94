"""Who may come in: tokens, sessions, and the gate that every request passes.

What belongs here: telling who asks and what they may do, and refusing everybody else. Forbidden:
events, stores, what a page shows. A token's text stands in no file but the owner's, in no log, in
no answer; everything else knows its SHA-256.

    token      the text of a token
    private    files that are for their owner alone, replaced as a whole
    owner      the token that comes with the data folder
    register   the tokens that were made, as a file
    session    what a cookie says, signed
    bearers    token or cookie → who that is, with every change of the files heeded at once
    front      how we are reached: address, TLS, proxies, names; who is at the other end
    crossing   requests that another site's page made
    attempts   how often a client may be wrong
    porter     lets in or refuses; counts and tells it
    streams    how many answers without end one bearer may have
    gate       the ASGI middleware that puts these together
    headers    what every answer carries
    signing    POST /sign-in and /sign-out
"""
