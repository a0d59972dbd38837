"""The page: what a person sees and presses."""

import logging
import time
from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path
from typing import TypeVar

from nicegui import events, ui

from drnsr.demo.work import (
    MAX_BYTES,
    Progress,
    Result,
    Source,
    StoppedError,
    enlarge,
    file_name,
    look,
)
from drnsr.demo.worker import Session, Worker
from drnsr.demo.zoom import Zoom
from drnsr.errors import UserError
from drnsr.images.file import SUFFIXES
from drnsr.reporting.slider import STYLE, slider

T = TypeVar("T")

_LIMIT = f"{MAX_BYTES // 1_000_000}\N{NO-BREAK SPACE}MB"
_FORMATS = ", ".join(dict.fromkeys(name.upper() for name in SUFFIXES.values()))

# A picture may be dropped anywhere; what else is dropped must not replace the page.
_DROP = """<script>
for (const name of ["dragover", "dragleave", "drop"]) document.addEventListener(name, event => {
  event.preventDefault();
  document.body.classList.toggle("dropping", name === "dragover");
  if (name === "drop" && event.dataTransfer.files.length)
    runMethod(%d, "addFiles", [event.dataTransfer.files]);
});
</script>"""

_log = logging.getLogger("drnsr.demo")


def open_page(worker: Worker) -> None:
    """Fill a page that was opened; its files go when it is closed."""
    session = Session(worker)
    ui.context.client.on_delete(session.leave)
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    ui.add_head_html(f"<style>{STYLE}{style}</style>")
    ui.colors(primary="#2b6a94")
    _Page(worker, session)


class _Page:
    def __init__(self, worker: Worker, session: Session) -> None:
        self._worker = worker
        self._visit = session
        self._source: Source | None = None
        self._source_folders: tuple[Path, ...] = ()
        self._result_folders: tuple[Path, ...] = ()
        self._uploader = self._hidden_uploader()
        with ui.element("div").classes("demo"):
            with ui.element("header"):
                ui.html("drnsr", tag="h1")
                ui.label(
                    "Enlarge a picture with a deep residual network, and compare it with bicubic"
                    " interpolation."
                ).classes("about")
                self._alert = ui.label().classes("alert").props("role=alert")
            self._stage = ui.element("section").classes("stage").props('aria-label="Picture"')
            with ui.element("section").classes("panel").props('aria-label="Choices"'):
                self._named = ui.element("div").classes("named")
                self._choices()
                self._waiting()
                self._facts = ui.element("div").classes("facts")
            self._zoom = Zoom()
            ui.label("What you upload is removed when you close this page.").classes("footer")
        self._invite()
        self._choose_model()

    # What there is to press

    def _hidden_uploader(self) -> ui.upload:
        """What sends files; buttons and dropping make it do so."""
        uploader = ui.upload(
            auto_upload=True,
            max_file_size=MAX_BYTES,
            on_upload=self._uploaded,
            on_rejected=lambda: self._tell(f"That file is larger than {_LIMIT}."),
        )
        uploader.on("failed", lambda: self._tell("The file did not arrive; try it again."))
        # Until it has forgotten a file it refuses the same one; earlier it would not send it.
        uploader.on("finish", js_handler=f'() => runMethod({uploader.id}, "reset", [])')
        uploader.classes("hidden")
        ui.add_body_html(_DROP % uploader.id)
        return uploader

    def _choose_button(self, text: str) -> ui.button:
        pick = f'event => runMethod({self._uploader.id}, "pickFiles", [event])'
        return ui.button(text).props("no-caps unelevated").on("click", js_handler=pick)

    def _invite(self) -> None:
        with self._stage, ui.element("div").classes("invitation"):
            ui.icon("add_photo_alternate").classes("sign").props("aria-hidden=true")
            self._choose_button("Choose a picture")
            ui.label("or drop one anywhere on this page")
            ui.label(f"{_FORMATS}, up to {_LIMIT}").classes("soft")

    def _choices(self) -> None:
        names = list(self._worker.models)
        self._model = ui.select(
            names, value=names[0], label="Model", on_change=self._choose_model
        ).props("outlined options-dense")
        with ui.element("div").classes("scales").props("role=group aria-label=Scale"):
            ui.label("Scale")
            self._scale = ui.toggle([]).props("no-caps unelevated")
        self._go = ui.button("Enlarge", on_click=self._enlarge).props("no-caps unelevated")
        self._go.disable()

    def _choose_model(self) -> None:
        scales = self._worker.models[self._model.value].scales
        scale = self._scale.value if self._scale.value in scales else scales[0]
        self._scale.set_options({each: f"x{each}" for each in scales}, value=scale)

    def _waiting(self) -> None:
        with ui.element("div").classes("waiting") as self._work:
            self._bar = ui.linear_progress(show_value=False).props("aria-label=Progress")
            with ui.element("div").classes("beside"):
                self._told = ui.label().props("role=status")
                stop = ui.button("Stop", on_click=self._visit.stop)
                stop.props("no-caps flat dense")
        self._work.set_visibility(False)
        self._timer = ui.timer(0.25, self._show_progress, active=False)

    # What happens

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        folders = self._visit.upload_folder(), self._visit.shown_folder()
        file = folders[0] / file_name(event.file.name)
        source = None
        try:
            await event.file.save(file)
        except OSError as error:
            self._tell(f"{event.file.name}: {error.strerror}")
        else:
            source = await self._do(partial(look, file, folders[1]))
        if source is None:
            self._visit.remove(*folders)
            return
        self._visit.remove(*self._source_folders, *self._result_folders)
        self._source, self._source_folders, self._result_folders = source, folders, ()
        self._show_source(source)
        self._go.enable()
        # The button that had the focus is gone.
        ui.run_javascript(f"getHtmlElement({self._go.id}).focus()")

    async def _enlarge(self) -> None:
        if self._source is None:
            return
        models, scale = self._worker.models[self._model.value], self._scale.value
        folder = self._visit.shown_folder()
        result = await self._do(partial(enlarge, self._source, models, scale, folder))
        if result is None:
            self._visit.remove(folder)
            return
        self._visit.remove(*self._result_folders)
        self._result_folders = (folder,)
        self._show_result(self._source, result, self._model.value)

    async def _do(self, work: Callable[[Progress], T]) -> T | None:
        """Let the worker do something for this page, in place of what it does for it.

        Returns:
            None where it failed, which is told; was stopped; or is no longer wanted.
        """
        progress = self._visit.begin()
        self._tell("")
        self._show_work(True)
        made, problem = None, ""
        try:
            made = await self._worker.do(partial(work, progress))
        except StoppedError:
            pass
        except UserError as error:
            problem = str(error)
        except Exception as error:  # a page that says so and goes on is better than one that hangs
            _log.exception("the page could not do it")
            problem = f"It failed: {error}. The terminal says more."
        if self._visit.progress is not progress:
            return None
        self._visit.progress = None
        self._show_work(False)
        self._tell(problem)
        return made

    # What there is to see

    def _tell(self, problem: str) -> None:
        self._alert.set_text(problem)

    def _show_work(self, goes_on: bool) -> None:
        self._work.set_visibility(goes_on)
        self._timer.active = goes_on
        self._go.set_enabled(not goes_on and self._source is not None)
        self._show_progress()

    def _show_progress(self) -> None:
        progress = self._visit.progress
        if progress is None:
            return
        fraction, started = progress.fraction, progress.started
        if started is None:
            self._told.set_text("Waiting for another picture to be done")
        else:
            self._told.set_text(f"{fraction:.0%}, {time.monotonic() - started:.0f} s")
        self._bar.set_value(fraction)
        self._bar.props(remove="indeterminate") if fraction else self._bar.props("indeterminate")

    def _show_source(self, source: Source) -> None:
        name = source.path.name
        self._named.clear()
        with self._named:
            ui.label(name).classes("name")
            self._choose_button("Choose another").props("flat dense")
        self._show_facts(source, {})
        self._zoom.hide()
        self._stage.clear()
        with self._stage:
            address = escape(self._visit.address(source.preview))
            ui.html(f'<img src="{address}" alt="{escape(name)}">', sanitize=False)

    def _show_result(self, source: Source, result: Result, model: str) -> None:
        before, after = map(self._visit.address, (result.before_preview, result.after_preview))
        names = "bicubic", model
        self._stage.clear()
        with self._stage:
            pictures = slider(before, after, names=names)
            mark = '<div class="mark"></div>'
            whole = ui.html(pictures + mark, sanitize=False).classes("whole")
        self._zoom.show(result, names, whole)
        size = _size(result.after.width, result.after.height)
        self._show_facts(source, {"Enlarged": size, "Time": f"{result.seconds:.1f} s"})
        with self._facts:
            for note in result.notes:
                ui.label(note).classes("soft")
            self._download_button(result.path)

    def _show_facts(self, source: Source, more: dict[str, str]) -> None:
        facts = {"Picture": _size(*source.size), "Depth": f"{source.bits} bits"}
        if source.pages > 1:
            facts["Pages"] = f"{source.pages}, the first is shown"
        rows = (f"<dt>{name}</dt><dd>{value}</dd>" for name, value in (facts | more).items())
        self._facts.clear()
        with self._facts:
            ui.html("".join(rows), tag="dl", sanitize=False)

    def _download_button(self, file: Path) -> None:
        button = ui.button(f"Download {file.name}").props("no-caps outline")
        button.props["href"] = self._visit.address(file)
        button.props["download"] = file.name


def _size(width: int, height: int) -> str:
    return f"{width} x {height} pixels"
