"""The sizes in the XML with which microscopes describe a TIFF (OME-TIFF)."""

from xml.etree import ElementTree


def upscaled_ome(
    description: str | None, width: int, height: int, growth: tuple[float, float]
) -> str | None:
    """Return a TIFF's description with the new sizes; other text than OME-XML is not changed.

    Args:
        description: of the source.
        width: of the upscaled picture in pixels.
        height: of the upscaled picture in pixels.
        growth: its width and height, divided by those of the source.
    """
    if description is None or "<OME" not in description or "<!ENTITY" in description:
        return description
    try:
        root = ElementTree.fromstring(description)
    except ElementTree.ParseError:
        return description
    namespace = root.tag.partition("}")[0].removeprefix("{")
    ElementTree.register_namespace("", namespace)
    for pixels in root.iter(f"{{{namespace}}}Pixels"):
        pixels.set("SizeX", str(width))
        pixels.set("SizeY", str(height))
        for name, times in zip(("PhysicalSizeX", "PhysicalSizeY"), growth, strict=True):
            if name in pixels.attrib:
                pixels.set(name, repr(float(pixels.attrib[name]) / times))
    return ElementTree.tostring(root, encoding="unicode")
