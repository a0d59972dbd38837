"""A small part of both pictures, so large that single pixels can be seen."""

from nicegui import events, ui

from drnsr.demo.views import CROP_HEIGHT, CROP_WIDTH, View
from drnsr.demo.work import Result

_END = 100  # of the sliders that choose the part

# Where in the picture was clicked, 0..1 to the right and down.
_PLACE = """event => {
  const box = event.currentTarget.getBoundingClientRect();
  emit((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
}"""


class Zoom:
    """A section of the page, not to be seen until there is something to show."""

    def __init__(self) -> None:
        self._pictures: list[View] = []
        self._whole: ui.html | None = None
        self._section = ui.element("section").classes("zoom").props('aria-label="Pixels"')
        with self._section:
            ui.html("Pixel by pixel", tag="h2")
            with ui.element("div").classes("parts"):
                self._crops = [_crop(), _crop()]
                with ui.element("div").classes("places"):
                    ui.label("Click in the picture to see another place, or move here.").classes(
                        "soft"
                    )
                    self._across = self._place("Across")
                    self._down = self._place("Down")
        self.hide()

    def hide(self) -> None:
        """Show nothing."""
        self._section.set_visibility(False)

    def show(self, result: Result, names: tuple[str, str], whole: ui.html) -> None:
        """Begin where there is most detail.

        Args:
            result: bicubic and the model.
            names: what is written below each.
            whole: an element that shows both, in which a click chooses the place.
        """
        self._pictures = [result.before, result.after]
        self._whole = whole.on("click", self._clicked, js_handler=_PLACE)
        for (picture, caption), name in zip(self._crops, names, strict=True):
            picture.props["alt"] = f"Pixels of {name}"
            caption.set_text(name)
        self._move(*result.place)
        self._section.set_visibility(True)

    def _place(self, name: str) -> ui.slider:
        ui.label(name).props("aria-hidden=true")
        slider = ui.slider(min=0, max=_END, step=0.5, value=0, on_change=self._update)
        slider.props["aria-label"] = name
        return slider

    def _clicked(self, event: events.GenericEventArguments) -> None:
        across, down = event.args
        view = self._pictures[0]
        self._move(across * view.width - CROP_WIDTH / 2, down * view.height - CROP_HEIGHT / 2)

    def _move(self, left: float, top: float) -> None:
        """Put the part's corner there, or as near as it can be."""
        wide, high = self._free()
        self._across.set_value(min(max(left / wide, 0), 1) * _END if wide else 0)
        self._down.set_value(min(max(top / high, 0), 1) * _END if high else 0)
        self._update()

    def _free(self) -> tuple[int, int]:
        """How far the part can be moved, in pixels."""
        view = self._pictures[0]
        return max(0, view.width - CROP_WIDTH), max(0, view.height - CROP_HEIGHT)

    def _update(self) -> None:
        """Show the part that the sliders choose, and where in the picture it is."""
        if self._whole is None:
            return
        wide, high = self._free()
        left = round(self._across.value / _END * wide)
        top = round(self._down.value / _END * high)
        for (picture, _), view in zip(self._crops, self._pictures, strict=True):
            picture.props["src"] = view.crop_url(left, top)
        view = self._pictures[0]
        self._whole.style(
            f"--left: {left / view.width:.4%}; --top: {top / view.height:.4%};"
            f" --width: {min(1, CROP_WIDTH / view.width):.4%};"
            f" --height: {min(1, CROP_HEIGHT / view.height):.4%}"
        )


def _crop() -> tuple[ui.element, ui.label]:
    """A place for a picture and its name."""
    with ui.element("figure"):
        picture = ui.element("img")
        with ui.element("figcaption"):
            return picture, ui.label()
