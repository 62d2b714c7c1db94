"""The cookie of a signed-in browser.

Invariant: scripts cannot read it, other sites' requests do not carry it, and under TLS it never
goes over a plain connection. Its name has the port, for cookies know none: two armorstacks on one
machine do not sign each other out.
"""

from starlette.responses import Response


def name_of(port: int, scheme: str) -> str:
    """The cookie's name. `__Host-` keeps other hosts of the domain from setting it (RFC 6265bis,
    4.1.3.2)."""
    return f"__Host-armorstack_{port}" if scheme == "https" else f"armorstack_{port}"


def values(headers: list[tuple[bytes, bytes]], name: str) -> list[str]:
    """All values that the request has for this cookie."""
    found = []
    for header, value in headers:
        if header == b"cookie":
            for part in value.decode("latin-1").split(";"):
                key, _, content = part.strip().partition("=")
                found += [content] if key == name else []
    return found


def give(response: Response, name: str, value: str, scheme: str, seconds: int) -> None:
    """Set the cookie; 0 seconds take it away."""
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=scheme == "https", httponly=True,
        samesite="strict",
    )  # fmt: skip
