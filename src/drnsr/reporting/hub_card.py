"""The card of a model on the Hugging Face Hub: Markdown with a header of YAML."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from drnsr import pretrained
from drnsr.hashing import file_sha256
from drnsr.reporting.file_info import describe_file
from drnsr.weights.native import read_info

# How the names of licences begin that forbid no use.
_FREE = ("cc0", "cc by ", "cc-by-", "public domain", "no known copyright", "apache", "mit", "bsd")


def hub_card(model: Path, uri: str) -> str:
    """Return the README.md of a model's repository on the Hub.

    A shipped model has its own card. Others have what the file says, and MLflow if it has the run.

    Args:
        model: a model file of drnsr.
        uri: the name of the model on the Hub.

    Raises:
        ModelFileError: if it is not a model file of drnsr.
    """
    info = read_info(model)
    header = {
        **weights_licence(info.origin.licences),
        "library_name": "drnsr",
        "pipeline_tag": "image-to-image",
        "tags": ["super-resolution", "drnsr", info.architecture.lower()]
        + [f"x{scale}" for scale in info.scales],
    }
    title, _, body = _text(model).partition("\n")
    return "\n".join(
        [
            f"---\n{yaml.safe_dump(header, sort_keys=False)}---",
            title,
            "",
            "```",
            "pip install 'drnsr[hub]'",
            f"drnsr upscale IMAGE --model {uri} --out FOLDER",
            "```",
            body,
        ]
    )


def weights_licence(licences: Mapping[str, int]) -> dict[str, str]:
    """Return the licence of weights for the header of a card.

    It is that of drnsr if the licence of each picture that the weights are made from is known to
    forbid no use, and else one that the card explains.

    Args:
        licences: see :attr:`drnsr.weights.native.Origin.licences`.
    """
    if is_free(licences):
        return {"license": "apache-2.0"}
    name = "licences-of-the-training-pictures"
    return {"license": "other", "license_name": name, "license_link": "README.md"}


def is_free(licences: Mapping[str, int]) -> bool:
    """Return whether the licence of each picture is known to forbid no use."""
    return bool(licences) and all(map(_forbids_nothing, licences))


def _forbids_nothing(licence: str) -> bool:
    name = licence.partition(",")[0].lower()
    return name.startswith(_FREE) and not any(word in name for word in ("nc", "nd", "non-com"))


def _text(model: Path) -> str:
    """Return the card without its header."""
    if name := pretrained.name_of(file_sha256(model)):
        return pretrained.model_file(name).with_suffix(".md").read_text(encoding="utf-8")
    facts = "".join(f"- {name}: {value}\n" for name, value in describe_file(model).items())
    licences = read_info(model).origin.licences
    pictures = "".join(f"- {number}: {licence}\n" for licence, number in licences.items())
    return (
        f"# {model.stem}\n\n## What it is\n\n{facts}\n## Training pictures\n\nThe licences, which"
        " whoever uses the weights should keep to as well, with the number of the pictures:\n\n"
        + (pictures or "- the file does not state them\n")
    )
