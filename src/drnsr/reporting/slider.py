"""A before-and-after slider in HTML: two pictures of one size and a handle to drag over them."""

from html import escape

STYLE = """
.slider { position: relative; display: inline-block; max-width: 100%; line-height: 0; --at: 50%; }
.slider img { max-width: 100%; }
.slider img.after { position: absolute; inset: 0; clip-path: inset(0 0 0 var(--at)); }
.slider .line { position: absolute; top: 0; bottom: 0; left: var(--at); width: 2px;
  margin-left: -1px; background: #fff; box-shadow: 0 0 4px #000; pointer-events: none; }
.slider .name { position: absolute; bottom: 6px; padding: 5px; color: #fff; background: #0009;
  font: 12px/1 sans-serif; pointer-events: none; }
.slider .name.before { left: 6px; }
.slider .name.after { right: 6px; }
.slider input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0;
  cursor: ew-resize; }
.slider:focus-within { outline: 2px solid #48f; }
"""
"""The CSS of all sliders of a page, for its head."""

CROP_STYLE = """
.slider { display: block; }
.slider img { display: block; width: 100%; image-rendering: pixelated; }
.slider .line::after { content: ""; position: absolute; top: 50%; left: 50%; width: 26px;
  height: 26px; border-radius: 50%; background: #fff; box-shadow: 0 0 6px #0009;
  transform: translate(-50%, -50%); }
"""
"""The CSS of the sliders of a page with magnified crops, after :data:`STYLE`."""


def slider(before: str, after: str, *, names: tuple[str, str]) -> str:
    """Return the HTML of a slider: ``before`` left of the handle, ``after`` right of it.

    Args:
        before: the URL of a picture.
        after: the URL of another picture of the same size.
        names: the captions of both.
    """
    first, second = map(escape, names)
    return f"""<div class="slider">
<img class="before" src="{escape(before)}" alt="{first}">
<img class="after" src="{escape(after)}" alt="{second}">
<span class="name before">{first}</span><span class="name after">{second}</span>
<div class="line"></div>
<input type="range" min="0" max="100" value="50" aria-label="{first} or {second}"
  oninput="this.parentNode.style.setProperty('--at', this.value + '%')">
</div>"""
