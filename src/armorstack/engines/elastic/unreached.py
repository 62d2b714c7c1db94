"""Why a node could not be reached, in words, and what mends it: pure, from an error to a sentence.

Invariant: what is told is printable and holds no object of a library. Must not go here: trying
another node.
"""

import re

from armorstack.core.text import printable
from armorstack.engines.elastic.answers import LONGEST_REASON

_OTHERWISE = "is it running, and are urls and TLS settings right?"
_WANTED = "this engine asks for a certificate that it trusts: cert_file and key_file"
_HINTS = (
    ("certificate verify failed: certificate has expired",
     "renew the certificate of the engine"),
    ("certificate is not valid for",
     "urls must name the host as the engine's certificate does"),
    ("certificate verify failed",
     "name the authority that signed the engine's certificate in ca_file"),
    ("Fingerprints did not match",
     "the engine shows another certificate; if that is right, set its fingerprint"),
    ("alert certificate expired", "renew the certificate in cert_file"),
    ("alert unknown ca", "the engine does not know the authority of the certificate in cert_file"),
    ("alert certificate required", _WANTED),
    ("alert bad certificate", _WANTED),
)  # fmt: skip
"""A part of what OpenSSL or urllib3 says → what to do about it; the first one counts."""
_SSL = re.compile(r"^\[SSL[^]]*\] ?|\.? \(_ssl\.c:\d+\)$")


def reason_and_hint(error: BaseException) -> tuple[str, str]:
    """The innermost reason of the error, cut, and a hint."""
    while error.__cause__ is not None:
        error = error.__cause__
    # urllib3 prints an object before what it says.
    told = _SSL.sub("", str(error).rpartition(">: ")[2]) or type(error).__name__
    hint = next((hint for part, hint in _HINTS if part in told), _OTHERWISE)
    return printable(told, LONGEST_REASON), hint
