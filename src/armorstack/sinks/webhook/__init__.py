"""The sink that posts events to a person's chat or a program.

What belongs here: choosing and folding events, writing messages, posting them, and saying what an
answer means for each row. Forbidden: waiting (the worker does), trusting what a name resolves to,
and any text that holds the URL's path or the token: both are secrets.

    sink      the `Sink`: what is sent, what is left, what is refused
    entries   equal events of a batch as one entry
    forms     json, slack, teams by name, with the size of their messages
    chat      an entry as lines for a person; slack and teams mark them up
    messenger one message: secrets, pace, client and answer put together
    answer    what an answer means
    pace      how many messages a minute, and when the server wants to hear from us again
    client    one POST under one deadline
    resolve   names to addresses, under the same deadline
    address   which addresses may be spoken to
    trust     the authorities whose certificates are believed
    target    the URL, and the files that hold it and the token
"""

from armorstack.sinks.webhook.sink import WebhookSink

__all__ = ["WebhookSink"]
