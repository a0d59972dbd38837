"""Enlarge pictures with a model: files and folders of 8-bit gray and RGB pictures, into PNG.

What is in the output folder already is not made again, so that the same command goes on where it
was interrupted. Each picture carries the hash of the model that made it: `drnsr info PICTURE`.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a picture or a folder")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for the pictures")
    parser.add_argument(
        "--model",
        type=Path,
        required=True,
        metavar="FILE",
        help="a model file, or another program's checkpoint",
    )
    parser.add_argument("--scale", type=int, help="for a model that has several")
    parser.add_argument("--overwrite", action="store_true", help="make again what is there")


def run(parsed: argparse.Namespace) -> None:
    """Enlarge each; those that cannot be are told at the end.

    Raises:
        UserError: a path or the model cannot be used, or some pictures could not be enlarged.
    """
    from rich.console import Console
    from rich.progress import track

    from drnsr.errors import UserError
    from drnsr.imaging.files import ImageError, read_image, write_png
    from drnsr.inference.provenance import KEY, provenance_of
    from drnsr.inference.upscaler import Upscaler

    pictures = list(_pictures(parsed.paths))
    upscaler = Upscaler.from_file(parsed.model, parsed.scale)
    text = {KEY: provenance_of(parsed.model, upscaler.scale).as_text()}
    console = Console(stderr=True)
    bad: list[ImageError] = []
    made = 0
    for picture, name in track(pictures, "enlarging", console=console):
        target = parsed.out / name.with_name(f"{name.stem}_x{upscaler.scale}.png")
        if target.exists() and not parsed.overwrite:
            continue
        try:
            write_png(target, upscaler(read_image(picture)), text)
            made += 1
        except ImageError as error:
            bad.append(error)
    there = len(pictures) - made - len(bad)
    print(f"{parsed.out}: {made} enlarged" + (f", {there} there already" if there else ""))
    if bad:
        reasons = "; ".join(map(str, bad))
        raise UserError(f"{len(bad)} of {len(pictures)} could not be enlarged: {reasons}")


def _pictures(paths: list[Path]) -> Iterator[tuple[Path, Path]]:
    """Each picture, and its name below the output folder."""
    from drnsr.errors import UserError
    from drnsr.imaging.files import SUFFIXES

    for path in paths:
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
            if not found:
                raise UserError(f"{path}: no pictures in this folder")
            yield from ((file, file.relative_to(path)) for file in found)
        elif path.is_file():
            yield path, Path(path.name)
        else:
            raise UserError(f"{path}: there is no such picture or folder")
