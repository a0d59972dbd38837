"""Models on the Hugging Face Hub: ``hf://USER/NAME``, or ``hf://USER/NAME@REVISION``.

Only a model file of drnsr, which is safetensors, is ever read from a repository, so nothing of it
is executed.
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TypeGuard

from drnsr.errors import UserError
from drnsr.weights.native import ModelFileError, read_info

log = logging.getLogger("drnsr")

PREFIX = "hf://"
MODEL_FILE = "model.safetensors"
"""The name of the model file in a repository."""

_URI = re.compile(rf"{PREFIX}(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_COMMIT = re.compile("[0-9a-f]{40}")

# huggingface_hub reads it at import; without it, it reports how it is used.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def is_on_hub(name: object) -> TypeGuard[str]:
    """Return whether a value of any type names a model on the Hub."""
    return isinstance(name, str) and name.startswith(PREFIX)


class HubError(UserError):
    """A model cannot be read from the Hub, or written to it."""


@dataclass(frozen=True)
class HubModel:
    """The name of a model on the Hub.

    Attributes:
        repository: ``USER/NAME``.
        revision: a branch, tag or commit; None for the newest commit.
    """

    repository: str
    revision: str | None = None

    @classmethod
    def parse(cls, uri: str) -> "HubModel":
        """Read a name such as ``hf://USER/NAME@v1``.

        Raises:
            HubError: if it is malformed, or huggingface_hub is not installed.
        """
        found = _URI.fullmatch(uri)
        if found is None:
            raise HubError(f"{uri}: not hf://USER/NAME or hf://USER/NAME@REVISION")
        if find_spec("huggingface_hub") is None:
            raise HubError(f"{uri}: needs huggingface_hub: pip install 'drnsr[hub]'")
        return cls(found["repository"], found["revision"])

    def __str__(self) -> str:
        return f"{PREFIX}{self.repository}" + (f"@{self.revision}" if self.revision else "")

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit, which never changes."""
        return self.revision is not None and _COMMIT.fullmatch(self.revision) is not None


def pinned(uri: str) -> str:
    """Return the name of a model with its present commit: ``hf://USER/NAME@COMMIT``.

    The model is downloaded for it.

    Raises:
        HubError: as in :func:`download_model`.
    """
    model = HubModel.parse(uri)
    commit = model.revision if model.is_pinned else download_model(uri).parent.name
    return str(HubModel(model.repository, commit))


def download_model(uri: str) -> Path:
    """Download a model file into the cache of huggingface_hub, unless it is there.

    The commit is logged. Without a connection the cached copy is taken, and a warning says so. If
    the name has the commit, a cached copy is taken in any case.

    Args:
        uri: see :meth:`HubModel.parse`.

    Returns:
        The file in the cache, in a folder that has the name of the commit.

    Raises:
        HubError: if there is no such repository, revision or model, the user may not read it, or
            the Hub cannot be reached and the cache has no copy.
    """
    model = HubModel.parse(uri)
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    if model.is_pinned and (copy := _find_cached(model)):
        return copy
    try:
        with _hub_errors(model):
            # The download itself would take any copy of the cache without a word if this fails.
            url = hf_hub_url(model.repository, MODEL_FILE, revision=model.revision)
            get_hf_file_metadata(url)
            file = Path(hf_hub_download(model.repository, MODEL_FILE, revision=model.revision))
    except _UnreachableError as error:
        file = _cached(model, error)
    else:
        log.info("%s: commit %s", model, file.parent.name)
    try:
        read_info(file)
    except ModelFileError as error:
        raise HubError(f"{model}: its {MODEL_FILE} is not a model of drnsr") from error
    return file


def upload_model(uri: str, model: Path, card: str, *, private: bool) -> str:
    """Write a model file and its card to a repository, which is made if it does not exist.

    Args:
        uri: see :meth:`HubModel.parse`; without a revision.
        model: the model file.
        card: the content of README.md.
        private: whether a repository that is made is private.

    Returns:
        The commit.

    Raises:
        HubError: if there is no token, or it does not allow this, or the Hub cannot be reached.
    """
    target = HubModel.parse(uri)
    if target.revision is not None:
        raise HubError(f"{uri}: a push makes a new commit; leave out @{target.revision}")
    from huggingface_hub import CommitOperationAdd, HfApi, get_token

    if get_token() is None:
        raise HubError(f"{uri}: no token: run `hf auth login`, or set HF_TOKEN")
    files: Mapping[str, Path | bytes] = {MODEL_FILE: model, "README.md": card.encode()}
    api = HfApi()
    with _hub_errors(target):
        api.create_repo(target.repository, private=private or None, exist_ok=True)
        commit = api.create_commit(
            target.repository,
            [CommitOperationAdd(name, content) for name, content in files.items()],
            commit_message="A model of drnsr, and its card",
        )
    return str(commit.oid)


class _UnreachableError(HubError):
    """The Hub does not answer, or is not to be asked."""


@contextmanager
def _hub_errors(model: HubModel) -> Iterator[None]:
    """Report in one line what the Hub refuses."""
    import httpx2
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    login = "run `hf auth login`, or set HF_TOKEN"
    try:
        yield
    except HFValidationError as error:
        raise HubError(f"{model}: {' '.join(str(error).split())}") from error
    except OfflineModeIsEnabled as error:
        raise _UnreachableError("HF_HUB_OFFLINE is set") from error
    except (httpx2.TransportError, TimeoutError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _UnreachableError(f"the Hub cannot be reached ({reason})") from error
    except GatedRepoError as error:
        raise HubError(f"{model}: accept its terms on its page first, and {login}") from error
    except RepositoryNotFoundError as error:
        raise HubError(f"{model}: no such repository, or it is private: {login}") from error
    except RevisionNotFoundError as error:
        raise HubError(f"{model}: the repository has no such revision") from error
    except EntryNotFoundError as error:
        raise HubError(f"{model}: no model of drnsr: it has no {MODEL_FILE}") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status >= 500 or status == 429:
            raise _UnreachableError(f"the Hub answers with status {status}") from error
        said = error.server_message or "no reason is given"
        advice = f"; {login}" if status in (401, 403) else ""
        raise HubError(f"{model}: the Hub refuses ({status}): {said}{advice}") from error


def _cached(model: HubModel, error: UserError) -> Path:
    """Return the copy of a model in the cache.

    Raises:
        HubError: if there is none.
    """
    found = _find_cached(model)
    if found is None:
        raise HubError(f"{model}: {error}, and there is no copy in the cache") from error
    log.warning("%s: %s; the cached copy is used, commit %s", model, error, found.parent.name)
    return found


def _find_cached(model: HubModel) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(model.repository, MODEL_FILE, revision=model.revision)
    return Path(found) if isinstance(found, str) else None
