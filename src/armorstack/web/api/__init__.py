"""The API, `/api/v1`: questions as JSON, exports, the live stream, its own description.

What belongs here: parameters in, answers out. One table of endpoints (`table.py`) registers the
routes and makes `/api/v1/openapi.json`, so neither can be forgotten.
Forbidden: SQL, HTML, who may come in (that is `web/access`).

    parameters   one class per kind of parameter: how it is read, and its JSON schema
    endpoint     an endpoint as a row of the table, and how it becomes a route
    shapes       the answers as JSON, and their schemas
    answers      questions with one answer
    events       pages of events, one event
    download     a file that is made while it is sent
    export       all events that are meant, as a file
    snapshot     the rows that are in no part yet, for SQL in another process
    feed         one poller for all streams
    messages     server-sent events as bytes
    listener     what waits for one stream's client
    stream       server-sent events
    description  OpenAPI, from the table
    errors       errors as JSON
"""

from armorstack.web.api.table import routes

__all__ = ["routes"]
