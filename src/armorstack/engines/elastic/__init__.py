"""Elasticsearch and OpenSearch: what the sink and the read side share.

What belongs here: asking a node, telling the two engines apart, bodies of bulk requests and what
their answers mean. Forbidden: events as columns, the pipeline, questions of a person.

    connection   one request to a cluster, and its answer
    secrets      who we are, and whom we trust; files read again when they change
    unreached    why a node could not be reached, and what mends it
    dialect      which engine it is, which version, and what differs
    bulk         documents as bodies of requests
    answers      what became of each document
    pace         how many requests at once
    delivery     entries sent until each has its fate
"""
