"""The contact sheet: many comparisons on one self-contained HTML page."""

import os
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path, PurePath
from urllib.parse import quote

from drnsr.atomic import remove_leftovers, write_text
from drnsr.errors import UserError, printable
from drnsr.images.codecs import split_name
from drnsr.reporting.comparison import (
    CropComparison,
    compare_with_bicubic,
    framed_thumbnail,
    write_comparison,
)
from drnsr.reporting.drawing import jpeg_url
from drnsr.reporting.slider import CROP_STYLE, STYLE, slider
from drnsr.reporting.theme import THEME
from drnsr.upscale.files import Note, UpscaleSpec
from drnsr.upscale.jobs import Job
from drnsr.upscale.provenance import read_provenance

FILE_NAME = "index.html"
"""The name of the contact sheet in the output folder."""

_MARK = '<meta name="generator" content="drnsr contact sheet">'

_THUMBNAIL = 208  # pixels, twice its size on the page for high-density screens

_STYLE = """
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
.about { display: flex; gap: 1rem; padding: .9rem 1rem 1rem; }
.about > img { width: 6.5rem; max-height: 6.5rem; object-fit: contain; object-position: top left;
  flex: none; }
.about div { min-width: 0; overflow-wrap: anywhere; }
h2 { margin: 0; font-size: 1.05rem; }
.about p { margin: .15rem 0 0; color: var(--faint); font-size: .875rem; }
a { color: var(--link); }
"""


class ComparisonWriter:
    """Writes a comparison beside each result, and a contact sheet if there are several jobs.

    Beside a video it also writes a clip.

    It is a :class:`drnsr.upscale.running.JobObserver`.

    Args:
        jobs: all jobs.
        out: the output folder, for the contact sheet.

    Raises:
        UserError: there is another file with the name of the contact sheet.
    """

    def __init__(self, jobs: Sequence[Job], out: Path) -> None:
        self._out = out
        self._page = out / FILE_NAME if len(jobs) > 1 else None
        stems = {job.target: _stem(job) for job in jobs}
        counts = Counter(stems.values())
        self._paths: dict[Path, Path] = {}
        for target, stem in stems.items():
            name = stem.name if counts[stem] == 1 else target.name
            self._paths[target] = target.with_name(f"{name}_compare.png")
        if self._page is not None and self._page.exists() and not is_contact_sheet(self._page):
            raise UserError(f"{self._page}: drnsr did not make it: take another --out")

    def after_job(self, job: Job, spec: UpscaleSpec, note: Note) -> str | None:
        """Write the comparison of a job; skip a result that another model made, with a note.

        Returns:
            The card for the contact sheet; None for a result that was skipped.

        Raises:
            ImageError: see :func:`drnsr.upscale.files.upscale_file`.
            OSError: the comparison cannot be written.
        """
        comparison = _compare(job, spec)
        path = self._paths[job.target]
        if job.is_done:
            provenance = read_provenance(job.target)
            if provenance is None or provenance.to_json() != comparison.provenance:
                note(f"{job.target}: was there, and does not say that this model made it")
                return None
        if not (job.is_done and path.exists()):
            remove_leftovers(path)
            write_comparison(path, comparison)
            if job.is_video:
                from drnsr.reporting.clip_comparison import write_side_by_side  # it needs PyAV

                clip = path.with_suffix(".mp4")
                remove_leftovers(clip)
                write_side_by_side(clip, job.source, job.target, spec)
        target, path = (each.relative_to(self._out) for each in (job.target, path))
        return card_html(comparison, target, path)

    def after_all(self, results: list[str]) -> None:
        """Write the contact sheet from the cards if there are several jobs."""
        if self._page is not None and results:
            write_text(self._page, page_html(results))
            print(printable(f"{self._page}: {len(results)} compared"))


def _stem(job: Job) -> Path:
    """Return the target without its suffix; the name of a folder has none."""
    is_folder = job.source.is_dir()
    return job.target.with_name(job.target.name if is_folder else split_name(job.target)[0])


def _compare(job: Job, spec: UpscaleSpec) -> CropComparison:
    if not job.is_video:
        return compare_with_bicubic(job.source, spec)
    from drnsr.reporting.clip_comparison import compare_frame  # it needs PyAV

    return compare_frame(job.source, spec)


def card_html(comparison: CropComparison, target: PurePath, drawing: PurePath) -> str:
    """Return the HTML of one comparison, with its images embedded.

    Args:
        comparison: the comparison.
        target: the path of the upscaled picture, relative to the page.
        drawing: the path of the comparison as a PNG file, relative to the page.
    """
    size, new_size = ("{} x {}".format(*each) for each in (comparison.size, comparison.new_size))
    images = slider(
        jpeg_url(comparison.bicubic),
        jpeg_url(comparison.upscaled),
        names=("bicubic", comparison.model),
    )
    note = f"<p>{escape(comparison.note)}</p>" if comparison.note else ""
    thumbnail = jpeg_url(framed_thumbnail(comparison, _THUMBNAIL))
    return f"""<article>
{images}
<div class="about">
<img src="{thumbnail}" alt="the whole of {escape(comparison.name)}">
<div><h2><a href="{_link(target)}">{escape(str(target).encode(errors="replace").decode())}</a></h2>
<p>{size} to {new_size} pixels</p>{note}
<p><a href="{_link(drawing)}">side by side, without loss</a></p></div>
</div>
</article>"""


def page_html(cards: Sequence[str]) -> str:
    """Return the HTML of the contact sheet from the results of :func:`card_html`."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{_MARK}
<title>{len(cards)} upscaled pictures</title>
<style>{THEME}{STYLE}{CROP_STYLE}{_STYLE}</style>
</head>
<body>
<header>
<h1>{len(cards)} upscaled pictures</h1>
<p>Each slider shows the most detailed crop of a picture, framed in its thumbnail: bicubic
interpolation left of the handle, the model right of it. Drag the handle, or use the arrow keys.</p>
</header>
<main>
{chr(10).join(cards)}
</main>
</body>
</html>
"""


def is_contact_sheet(path: Path) -> bool:
    """Return whether a file is a contact sheet that drnsr wrote."""
    return _MARK in path.read_text(encoding="utf-8", errors="replace")


def _link(path: PurePath) -> str:
    return escape(quote(os.fsencode(path.as_posix())))
