"""Names of files that come from outside, such as those in a registry or an archive."""

_SEPARATORS_AND_WILDCARDS = frozenset('<>:"/\\|?*')
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789¹²³"]
)

_MAX_BYTES = 200  # file systems take 255, and names of temporary files are longer


def is_portable(name: str) -> bool:
    """Return whether Linux, macOS and Windows can all hold a file of this name.

    Windows takes ``con.png`` for a device, and ``a:b`` for a stream of ``a``; it drops a dot or a
    space at the end (Microsoft, "Naming Files, Paths, and Namespaces").

    Args:
        name: of a file or a folder, without its parents.
    """
    return (
        name == name.rstrip(". ")
        and name != ""
        and name.isprintable()
        and _SEPARATORS_AND_WILDCARDS.isdisjoint(name)
        and name.partition(".")[0].rstrip().upper() not in _DEVICES
        and len(name.encode(errors="surrogateescape")) <= _MAX_BYTES
    )
