"""Events that are kept somewhere already, moved into a sink: `armorstack migrate`.

What belongs here: reading what another store holds, piece by piece, and writing it until all of it
has its fate. Ids make it harmless to do that twice, so it may be stopped at any moment and goes on
at the last piece that was done. Forbidden: changing or deleting what is read.

    contract   Piece and Origin: what is read
    parts      the embedded store
    indices    what the relay's own adapters wrote into Elasticsearch or OpenSearch
    mark       how far it is, in a file
    moving     one piece after the other into a sink
"""
