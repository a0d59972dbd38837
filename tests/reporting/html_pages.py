"""A page as a tree, by the HTML parser of Python, to look for its parts."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

# They have no end tag (HTML Living Standard, section 13.1.2).
VOID = {"meta", "img", "input", "br", "hr", "link", "path", "use"}


@dataclass
class Element:
    """An element of a page."""

    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        parts = (each if isinstance(each, str) else each.text for each in self.children)
        return " ".join(" ".join(parts).split())

    def all(self, tag: str, css_class: str | None = None) -> list["Element"]:
        """Return the elements below, in the order of the page."""
        found = []
        for each in self.children:
            if isinstance(each, str):
                continue
            classes = (each.attributes.get("class") or "").split()
            if each.tag == tag and css_class in (None, *classes):
                found.append(each)
            found += each.all(tag, css_class)
        return found

    def rows(self) -> list[list[str]]:
        """Return the texts of the cells of a table."""
        return [[c.text for c in row.children if isinstance(c, Element)] for row in self.all("tr")]


class _TreeBuilder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("page")
        self.unclosed = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.unclosed[-1].children.append(element)
        if tag not in VOID:
            self.unclosed.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.unclosed[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.unclosed[-1].tag == tag, f"</{tag}> closes <{self.unclosed[-1].tag}>"
        self.unclosed.pop()

    def handle_data(self, data: str) -> None:
        self.unclosed[-1].children.append(data)


def parse(html: str) -> Element:
    """Parse a page whose elements are all closed in order."""
    builder = _TreeBuilder()
    builder.feed(html)
    builder.close()
    assert builder.unclosed == [builder.root]
    return builder.root


def loads(page: Element) -> list[str]:
    """Return what the page loads from elsewhere."""
    urls = []
    for tag, name in (("img", "src"), ("script", "src"), ("link", "href"), ("iframe", "src")):
        urls += [str(each.attributes[name]) for each in page.all(tag) if name in each.attributes]
    return [url for url in urls if not url.startswith("data:")]
