"""Registered models in MLflow: versions, the candidate and the champion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drnsr.tracking.store import TrackingError, open_store, tracking_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient

CANDIDATE = "candidate"
CHAMPION = "champion"


@dataclass(frozen=True)
class Version:
    """One version of a registered model.

    Attributes:
        name: of the registered model.
        number: of the version, in MLflow.
        run_id: the run that made the model.
    """

    name: str
    number: str
    run_id: str

    def __str__(self) -> str:
        return f"{self.name} version {self.number}"


def default_name(config: Mapping[str, Any]) -> str:
    """Return the registered name for the model of a configuration, such as ``drnsr-x2``.

    A model of degraded pictures is not compared with one of clean pictures: ``drnsr-x2-photo``.
    """
    photo = "-photo" if config.get("degradation", {}).get("rounds") else ""
    return f"{config['model']['name']}-x{config['scale']}{photo}"


def find_version(name: str, run_id: str) -> Version | None:
    """Return the newest version of a registered model that a run made; None if there is none.

    Raises:
        TrackingError: if the store cannot be reached.
    """
    client = open_store()
    with tracking_errors():
        found = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
        versions = sorted(found, key=lambda version: int(version.version))
    return Version(name, str(versions[-1].version), run_id) if versions else None


def register(name: str, run_id: str, card: str) -> Version:
    """Register a run's model as a new version, which gets the alias ``candidate``.

    Args:
        name: the registered model, which is made if there is none.
        run_id: the run.
        card: the version's description, in Markdown.

    Raises:
        TrackingError: if the store cannot be reached, rejects the name, or has no model of this
            run.
    """
    client = open_store()
    with tracking_errors():
        outputs = client.get_run(run_id).outputs
        if outputs is None or not outputs.model_outputs:
            raise TrackingError(f"{run_id}: this run made no model")
        model_id = outputs.model_outputs[-1].model_id
        _make_model(client, name)
        made = client.create_model_version(
            name, f"models:/{model_id}", run_id, description=card, model_id=model_id
        )
        version = Version(name, str(made.version), run_id)
        _set_alias(client, version, CANDIDATE)
    return version


def find_champion(name: str) -> Version | None:
    """Return the version that has the alias ``champion``; None if there is none.

    Raises:
        TrackingError: if the store cannot be reached, or has no such registered model.
    """
    client = open_store()
    with tracking_errors():
        number = client.get_registered_model(name).aliases.get(CHAMPION)
        if number is None:
            return None
        version = client.get_model_version(name, number)
    return Version(name, str(number), str(version.run_id))


def set_champion(version: Version) -> None:
    """Move the alias ``champion`` to a version.

    Raises:
        TrackingError: if the store cannot be reached.
    """
    client = open_store()
    with tracking_errors():
        _set_alias(client, version, CHAMPION)


def _make_model(client: "MlflowClient", name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _set_alias(client: "MlflowClient", version: Version, alias: str) -> None:
    client.set_registered_model_alias(version.name, alias, version.number)
