"""What was run, and by whom, as MLflow's pages show it."""

import getpass

from drnsr.tracking.tags import SOURCE_TAG, SOURCE_TYPE_TAG, USER_TAG


def source_tags(program: str, *, user: bool) -> dict[str, str]:
    """Return MLflow's own tags of the source and the user; the commit is one of the run.

    Args:
        program: the name of the module that was run, such as ``pipelines.train``.
        user: whether to record the login name, as MLflow itself does.
    """
    tags = {SOURCE_TAG: program, SOURCE_TYPE_TAG: "LOCAL"}
    name = _login_name() if user else None
    return tags if name is None else {**tags, USER_TAG: name}


def _login_name() -> str | None:
    """Return the login name; None for a user that the system has no name for, as in a container."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return None
