"""The page of the demo: its elements, and what happens when they are used."""

import logging
import time
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TypeVar

from nicegui import events, ui

from drnsr import pretrained
from drnsr.demo.pool import Task
from drnsr.demo.process import Inspection, Upscaling
from drnsr.demo.running import StoppedError
from drnsr.demo.session import Session, Sessions
from drnsr.demo.tasks import MAX_BYTES, Upload, UpscaledUpload, safe_file_name
from drnsr.demo.zoom import Zoom
from drnsr.errors import UserError, reason
from drnsr.images.codecs import CODECS
from drnsr.reporting.slider import STYLE, slider

T = TypeVar("T")

_log = logging.getLogger("drnsr.demo")

_CONNECT_TIMEOUT = 30.0  # seconds that a browser has to load the page's scripts and connect

_MAX_SIZE = f"{MAX_BYTES // 1_000_000}\N{NO-BREAK SPACE}MB"
_FORMATS = ", ".join(name.upper() for name, codec in CODECS.items() if not codec.is_folder)

# A picture can be dropped anywhere; other dropped objects must not replace the page.
_DROP = """
for (const name of ["dragover", "dragleave", "drop"]) document.addEventListener(name, event => {
  event.preventDefault();
  document.body.classList.toggle("dropping", name === "dragover");
  if (name === "drop" && event.dataTransfer.files.length)
    runMethod(%d, "addFiles", [event.dataTransfer.files]);
});
"""


async def open_page(scales: Mapping[str, Sequence[int]], sessions: Sessions) -> None:
    """Build a page when its browser connects; its files are removed when it is closed.

    Args:
        scales: of each model, by its name.
        sessions: the open pages.

    A request that no connection follows, such as a robot's, takes no memory that stays.
    """
    client = ui.context.client
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    ui.add_head_html(f"<style>{STYLE}{style}</style>")
    ui.colors(primary="#2b6a94")
    try:
        await client.connected(timeout=_CONNECT_TIMEOUT)
    except TimeoutError:
        client.delete()
        return
    session = Session(sessions)
    client.on_delete(session.close)
    _Page(scales, session)


class _Page:
    def __init__(self, scales: Mapping[str, Sequence[int]], session: Session) -> None:
        self._scales = scales
        self._session = session
        self._upload: Upload | None = None
        self._upload_folders: tuple[Path, ...] = ()
        self._result_folders: tuple[Path, ...] = ()
        self._uploader = self._build_uploader()
        with ui.element("div").classes("demo"):
            with ui.element("header"):
                ui.html("drnsr", tag="h1")
                ui.label(
                    "Upscale a picture with a deep residual network, and compare it with bicubic"
                    " interpolation."
                ).classes("about")
                self._alert = ui.label().classes("alert").props("role=alert")
            self._stage = ui.element("section").classes("stage").props('aria-label="Picture"')
            with ui.element("section").classes("panel").props('aria-label="Choices"'):
                self._title = ui.element("div").classes("named")
                self._build_choices()
                self._build_progress()
                self._facts = ui.element("div").classes("facts")
            self._zoom = Zoom()
            ui.label("What you upload is removed when you close this page.").classes("footer")
        self._build_invitation()
        self._on_model()

    # Elements

    def _build_uploader(self) -> ui.upload:
        """Build the hidden element that uploads files; buttons and dropping trigger it."""
        uploader = ui.upload(
            auto_upload=True,
            max_file_size=MAX_BYTES,
            on_upload=self._on_upload,
            on_rejected=lambda: self._show_error(f"That file is larger than {_MAX_SIZE}."),
        )
        uploader.on("failed", lambda: self._show_error("The file did not arrive; try it again."))
        # Without a reset it rejects the same file again; an earlier reset would cancel the upload.
        uploader.on("finish", js_handler=f'() => runMethod({uploader.id}, "reset", [])')
        uploader.classes("hidden")
        ui.run_javascript(_DROP % uploader.id)
        return uploader

    def _choose_button(self, text: str) -> ui.button:
        pick = f'event => runMethod({self._uploader.id}, "pickFiles", [event])'
        return ui.button(text).props("no-caps unelevated").on("click", js_handler=pick)

    def _build_invitation(self) -> None:
        with self._stage, ui.element("div").classes("invitation"):
            ui.icon("add_photo_alternate").classes("sign").props("aria-hidden=true")
            self._choose_button("Choose a picture")
            ui.label("or drop one anywhere on this page")
            ui.label(f"{_FORMATS}, up to {_MAX_SIZE}").classes("soft")

    def _build_choices(self) -> None:
        names = list(self._scales)
        self._model = ui.select(
            names, value=names[0], label="Model", on_change=self._on_model
        ).props("outlined options-dense")
        self._purpose = ui.label().classes("soft")
        with ui.element("div").classes("scales").props("role=group aria-label=Scale"):
            ui.label("Scale")
            self._scale = ui.toggle([]).props("no-caps unelevated")
        self._upscale_button = ui.button("Upscale", on_click=self._on_upscale).props(
            "no-caps unelevated"
        )
        self._upscale_button.disable()

    def _on_model(self) -> None:
        shipped = pretrained.MODELS.get(self._model.value)
        self._purpose.set_text("" if shipped is None else f"For {shipped.purpose}.")
        scales = self._scales[self._model.value]
        scale = self._scale.value if self._scale.value in scales else scales[0]
        self._scale.set_options({each: f"x{each}" for each in scales}, value=scale)

    def _build_progress(self) -> None:
        with ui.element("div").classes("waiting") as self._progress_panel:
            self._bar = ui.linear_progress(show_value=False).props("aria-label=Progress")
            with ui.element("div").classes("beside"):
                self._status = ui.label().props("role=status")
                stop = ui.button("Stop", on_click=self._session.stop_task)
                stop.props("no-caps flat dense")
        self._progress_panel.set_visibility(False)
        self._timer = ui.timer(0.25, self._show_progress, active=False)

    # Events

    async def _on_upload(self, event: events.UploadEventArguments) -> None:
        folders = self._session.new_private_folder(), self._session.new_public_folder()
        file = folders[0] / safe_file_name(event.file.name)
        upload = None
        try:
            await event.file.save(file)
        except OSError as error:
            self._show_error(f"{event.file.name}: {error.strerror}")
        else:
            upload = await self._run(Inspection(file, folders[1]))
        if upload is None:
            self._session.remove(*folders)
            return
        self._session.remove(*self._upload_folders, *self._result_folders)
        self._upload, self._upload_folders, self._result_folders = upload, folders, ()
        self._show_upload(upload)
        self._upscale_button.enable()
        # The button that had the focus was removed.
        ui.run_javascript(f"getHtmlElement({self._upscale_button.id}).focus()")

    async def _on_upscale(self) -> None:
        if self._upload is None:
            return
        model, scale = self._model.value, self._scale.value
        folders = self._session.new_public_folder(), self._session.new_private_folder()
        upload = self._upload
        result = await self._run(Upscaling(upload, model, scale, *folders))
        if result is None:
            self._session.remove(*folders)
            return
        self._session.remove(*self._result_folders)
        self._result_folders = folders
        self._show_result(upload, result, model)

    async def _run(self, task: Task[T]) -> T | None:
        """Run a task of this page in a process and stop its current one.

        Returns:
            The result; None if the task failed, which is displayed, or was stopped.
        """
        running = self._session.start_task()
        self._show_error("")
        self._show_running(True)
        result, problem = None, ""
        try:
            result = await self._session.run(task, running)
        except StoppedError:
            pass
        except UserError as error:
            problem = str(error)
        except Exception as error:  # the page displays any error and can be used further
            _log.exception("a task of the page failed")
            problem = f"It failed: {reason(error)}. The terminal says more."
        if self._session.running is not running:
            return None
        self._session.running = None
        self._show_running(False)
        self._show_error(problem)
        return result

    # Display

    def _show_error(self, problem: str) -> None:
        self._alert.set_text(problem)

    def _show_running(self, is_running: bool) -> None:
        self._progress_panel.set_visibility(is_running)
        self._timer.active = is_running
        self._upscale_button.set_enabled(not is_running and self._upload is not None)
        self._show_progress()

    def _show_progress(self) -> None:
        running = self._session.running
        if running is None:
            return
        fraction, started = running.fraction, running.started
        if started is None:
            self._status.set_text("Waiting for other pictures to be done")
        else:
            self._status.set_text(f"{fraction:.0%}, {time.monotonic() - started:.0f} s")
        self._bar.set_value(fraction)
        self._bar.props(remove="indeterminate") if fraction else self._bar.props("indeterminate")

    def _show_upload(self, upload: Upload) -> None:
        name = upload.path.name
        self._title.clear()
        with self._title:
            ui.label(name).classes("name")
            self._choose_button("Choose another").props("flat dense")
        self._show_facts(upload, {})
        self._zoom.hide()
        self._stage.clear()
        with self._stage:
            url = escape(self._session.url(upload.preview))
            ui.html(f'<img src="{url}" alt="{escape(name)}">', sanitize=False)

    def _show_result(self, upload: Upload, result: UpscaledUpload, model: str) -> None:
        before, after = map(self._session.url, (result.before_preview, result.after_preview))
        names = "bicubic", model
        self._stage.clear()
        with self._stage:
            pictures = slider(before, after, names=names)
            mark = '<div class="mark"></div>'
            whole = ui.html(pictures + mark, sanitize=False).classes("whole")
        self._zoom.show(result, names, whole)
        size = _size(result.after.width, result.after.height)
        self._show_facts(upload, {"Upscaled": size, "Time": f"{result.seconds:.1f} s"})
        with self._facts:
            for note in result.notes:
                ui.label(note).classes("soft")
            self._download_button(result.path)

    def _show_facts(self, upload: Upload, more: dict[str, str]) -> None:
        facts = {"Picture": _size(*upload.size), "Depth": f"{upload.bits} bits"}
        if upload.num_pages > 1:
            facts["Pages"] = f"{upload.num_pages}, the first is shown"
        rows = (f"<dt>{name}</dt><dd>{value}</dd>" for name, value in (facts | more).items())
        self._facts.clear()
        with self._facts:
            ui.html("".join(rows), tag="dl", sanitize=False)

    def _download_button(self, file: Path) -> None:
        button = ui.button(f"Download {file.name}").props("no-caps outline")
        button.props["href"] = self._session.url(file)
        button.props["download"] = file.name


def _size(width: int, height: int) -> str:
    return f"{width} x {height} pixels"
