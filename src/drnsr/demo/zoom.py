"""The section of the page with the same small crop of both pictures, magnified."""

from nicegui import events, ui

from drnsr.demo.tasks import UpscaledUpload
from drnsr.demo.views import CROP_HEIGHT, CROP_WIDTH, View

_SLIDER_MAX = 100  # of the sliders that move the crop

# Sends the place of a click in the picture, 0..1 to the right and down.
_SEND_CLICK = """event => {
  const box = event.currentTarget.getBoundingClientRect();
  emit((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
}"""


class Zoom:
    """A section of the page, hidden until there is a result."""

    def __init__(self) -> None:
        self._views: list[View] = []
        self._slider: ui.html | None = None
        self._section = ui.element("section").classes("zoom").props('aria-label="Pixels"')
        with self._section:
            ui.html("Pixel by pixel", tag="h2")
            with ui.element("div").classes("parts"):
                self._crops = [_crop_element(), _crop_element()]
                with ui.element("div").classes("places"):
                    ui.label("Click in the picture to see another place, or move here.").classes(
                        "soft"
                    )
                    self._across = self._position_slider("Across")
                    self._down = self._position_slider("Down")
        self.hide()

    def hide(self) -> None:
        """Hide the section; the views may be removed."""
        self._slider = None
        self._section.set_visibility(False)

    def show(self, result: UpscaledUpload, names: tuple[str, str], slider: ui.html) -> None:
        """Show the most detailed crop of a result.

        Args:
            result: the pictures by bicubic interpolation and by the model.
            names: the captions of both.
            slider: the element with both pictures; a click in it moves the crop.
        """
        self._views = [result.before, result.after]
        self._slider = slider.on("click", self._on_click, js_handler=_SEND_CLICK)
        for (picture, caption), name in zip(self._crops, names, strict=True):
            picture.props["alt"] = f"Pixels of {name}"
            caption.set_text(name)
        self._move(*result.detail)
        self._section.set_visibility(True)

    def _position_slider(self, name: str) -> ui.slider:
        ui.label(name).props("aria-hidden=true")
        slider = ui.slider(min=0, max=_SLIDER_MAX, step=0.5, value=0, on_change=self._update)
        slider.props["aria-label"] = name
        return slider

    def _on_click(self, event: events.GenericEventArguments) -> None:
        across, down = event.args
        view = self._views[0]
        self._move(across * view.width - CROP_WIDTH / 2, down * view.height - CROP_HEIGHT / 2)

    def _move(self, left: float, top: float) -> None:
        """Move the crop's corner to a place, or as near as the border allows."""
        max_left, max_top = self._max_position()
        self._across.set_value(min(max(left / max_left, 0), 1) * _SLIDER_MAX if max_left else 0)
        self._down.set_value(min(max(top / max_top, 0), 1) * _SLIDER_MAX if max_top else 0)
        self._update()

    def _max_position(self) -> tuple[int, int]:
        """Return the largest (left, top) of the crop in pixels."""
        view = self._views[0]
        return max(0, view.width - CROP_WIDTH), max(0, view.height - CROP_HEIGHT)

    def _update(self) -> None:
        """Show the crop at the position of the sliders, and mark it in the picture."""
        if self._slider is None:
            return
        max_left, max_top = self._max_position()
        left = round(self._across.value / _SLIDER_MAX * max_left)
        top = round(self._down.value / _SLIDER_MAX * max_top)
        for (picture, _), view in zip(self._crops, self._views, strict=True):
            picture.props["src"] = view.crop_url(left, top)
        view = self._views[0]
        self._slider.style(
            f"--left: {left / view.width:.4%}; --top: {top / view.height:.4%};"
            f" --width: {min(1, CROP_WIDTH / view.width):.4%};"
            f" --height: {min(1, CROP_HEIGHT / view.height):.4%}"
        )


def _crop_element() -> tuple[ui.element, ui.label]:
    """Create an element for a crop and its caption."""
    with ui.element("figure"):
        picture = ui.element("img")
        with ui.element("figcaption"):
            return picture, ui.label()
