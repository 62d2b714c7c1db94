"""`EventStore` over Elasticsearch (8, 9) and OpenSearch (2, 3).

What belongs here: questions as requests, answers as the contract's shapes. Forbidden: writing
events, templates, anything about the pipeline.

    fields       where a field lies in a document, and what its values are called
    query        the tree of a query as the query DSL
    expression   globs as regular expressions of Lucene
    inquiry      one question on its way: namespaces, span, budget, whole answers only
    patience     a blocking call that is left when its budget ends
    pages        pages by (time, id), single events
    groups       facets, largest groups
    histogram    counts over time
    arrivals     the order of arrival
    exporting    everything, of one moment
    moment       points in time, of both dialects
    gaps         gaps as an engine keeps them
    event_store  all that as one `EventStore`
"""

from armorstack.store.elastic.event_store import ElasticEventStore, elastic_store

__all__ = ["ElasticEventStore", "elastic_store"]
