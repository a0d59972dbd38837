"""Many comparisons on one HTML page that needs nothing but itself."""

import base64
import io
import os
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path, PurePath
from urllib.parse import quote

from PIL import Image

from drnsr.atomic import remove_leftovers, write_text
from drnsr.errors import UserError
from drnsr.reporting.comparison import Comparison, compare, framed, write_comparison
from drnsr.reporting.slider import STYLE, slider
from drnsr.upscale.files import Note, UpscaleSpec
from drnsr.upscale.jobs import Job
from drnsr.upscale.provenance import read_provenance

PAGE = "index.html"
"""Of the comparisons, in the folder of what is made."""

_MARK = '<meta name="generator" content="drnsr contact sheet">'

_THUMBNAIL = 208  # pixels of its side, twice what it is shown in: screens have more

_STYLE = """
:root { color-scheme: light dark; --ink: #202124; --faint: #5f6368; --page: #f6f6f4; --card: #fff;
  --line: #dadce0; --link: #1558b0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --faint: #a6abb1; --page: #17181a;
  --card: #222427; --line: #3c4043; --link: #8ab4f8; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 1.5rem clamp(.75rem, 3vw, 2.5rem) 3rem; color: var(--ink);
  background: var(--page); font: 16px/1.45 system-ui, sans-serif; }
header { max-width: 46rem; margin: 0 auto 1.75rem; text-align: center; }
h1 { margin: 0 0 .4rem; font-size: 1.6rem; }
header p { margin: 0; color: var(--faint); }
main { display: grid; gap: 1.5rem; justify-content: center;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 36rem)); }
article { overflow: hidden; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; }
.slider { display: block; }
.slider img { display: block; width: 100%; image-rendering: pixelated; }
.slider .line::after { content: ""; position: absolute; top: 50%; left: 50%; width: 26px;
  height: 26px; border-radius: 50%; background: #fff; box-shadow: 0 0 6px #0009;
  transform: translate(-50%, -50%); }
.about { display: flex; gap: 1rem; padding: .9rem 1rem 1rem; }
.about > img { width: 6.5rem; max-height: 6.5rem; object-fit: contain; object-position: top left;
  flex: none; }
.about div { min-width: 0; overflow-wrap: anywhere; }
h2 { margin: 0; font-size: 1.05rem; }
.about p { margin: .15rem 0 0; color: var(--faint); font-size: .875rem; }
a { color: var(--link); }
"""


class Comparisons:
    """A picture beside each that is made, and a page of all where there are several.

    Args:
        jobs: all that there will be.
        work: how they are enlarged.
        out: the folder for the page.

    Raises:
        UserError: there is a page that is not ours.
    """

    def __init__(self, jobs: Sequence[Job], work: UpscaleSpec, out: Path) -> None:
        self._work = work
        self._out = out
        self._page = out / PAGE if len(jobs) > 1 else None
        self._cards: list[str] = []
        stems = Counter(job.target.with_suffix("") for job in jobs)
        self._paths: dict[Path, Path] = {}
        for job in jobs:
            alone = stems[job.target.with_suffix("")] == 1
            name = job.target.stem if alone else job.target.name
            self._paths[job.target] = job.target.with_name(f"{name}_compare.png")
        if self._page is not None and self._page.exists() and not is_page(self._page):
            raise UserError(f"{self._page}: drnsr did not make it: take another --out")

    def after_job(self, job: Job, note: Note) -> None:
        """Compare a picture that was made, or was there; what another model made is told and left.

        Raises:
            ImageError: see :func:`drnsr.upscale.files.enlarge_file`.
            OSError: the disk is full.
        """
        comparison = compare(job.source, self._work)
        drawn = self._paths[job.target]
        if job.is_done:
            made_by = read_provenance(job.target)
            if made_by is None or made_by.as_text() != comparison.provenance:
                note(f"{job.target}: was there, and does not say that this model made it")
                return
        if not (job.is_done and drawn.exists()):
            remove_leftovers(drawn)
            write_comparison(drawn, comparison)
        target, drawn = (path.relative_to(self._out) for path in (job.target, drawn))
        self._cards.append(card(comparison, target, drawn))

    def after_all(self) -> None:
        """Write the page, if there is to be one."""
        if self._page is not None and self._cards:
            write_text(self._page, page(self._cards))
            print(f"{self._page}: {len(self._cards)} compared")


def card(comparison: Comparison, target: PurePath, drawn: PurePath) -> str:
    """HTML that shows one comparison, with its pictures within.

    Args:
        comparison: to show.
        target: the enlarged picture, from the page's folder.
        drawn: the comparison as a picture, from there.
    """
    before, after = ("{} x {}".format(*size) for size in (comparison.before, comparison.after))
    wipe = slider(
        _within(comparison.bicubic),
        _within(comparison.enlarged),
        names=("bicubic", comparison.model),
    )
    note = f"<p>{escape(comparison.note)}</p>" if comparison.note else ""
    return f"""<article>
{wipe}
<div class="about">
<img src="{_within(framed(comparison, _THUMBNAIL))}" alt="the whole of {escape(comparison.name)}">
<div><h2><a href="{_link(target)}">{escape(str(target).encode(errors="replace").decode())}</a></h2>
<p>{before} to {after} pixels</p>{note}
<p><a href="{_link(drawn)}">side by side, without loss</a></p></div>
</div>
</article>"""


def page(cards: Sequence[str]) -> str:
    """The page of cards that :func:`card` made."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{_MARK}
<title>{len(cards)} enlarged pictures</title>
<style>{STYLE}{_STYLE}</style>
</head>
<body>
<header>
<h1>{len(cards)} enlarged pictures</h1>
<p>Of each its most detailed place, framed in the small picture: bicubic interpolation left of the
handle, the model right of it. Drag the handle, or use the arrow keys.</p>
</header>
<main>
{chr(10).join(cards)}
</main>
</body>
</html>
"""


def is_page(path: Path) -> bool:
    """Whether a file is a page that :func:`page` made."""
    return _MARK in path.read_text(encoding="utf-8", errors="replace")


def _within(image: Image.Image) -> str:
    """The picture itself as an address; chroma as sharp as luma, for its pixels are looked at."""
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=90, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _link(path: PurePath) -> str:
    return escape(quote(os.fsencode(path.as_posix())))
