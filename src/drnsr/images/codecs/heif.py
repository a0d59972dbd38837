"""HEIC and HEIF, as telephones write them."""

from dataclasses import dataclass
from pathlib import Path

from drnsr.images.backends.pillow import PillowCodec
from drnsr.images.errors import ImageError
from drnsr.images.page import Page

_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")


@dataclass(frozen=True, kw_only=True)
class HeifCodec(PillowCodec):
    """HEIC and HEIF, which Pillow reads if pillow-heif is registered."""

    def recognises(self, head: bytes) -> bool:
        """See :meth:`Codec.recognises`."""
        return head[4:8] == b"ftyp" and head[8:12] in _BRANDS

    def read(self, path: Path) -> list[Page]:
        """See :meth:`Codec.read`."""
        self._register()
        return super().read(path)

    def pixel_count(self, path: Path) -> int:
        """See :meth:`Codec.pixel_count`."""
        self._register()
        return super().pixel_count(path)

    def provenance(self, path: Path) -> object:
        """Return None: the format is not written."""
        return None

    def _register(self) -> None:
        try:
            import pillow_heif
        except ImportError as error:
            raise ImageError(f"HEIC, which needs: pip install 'drnsr[{self.extra}]'") from error
        pillow_heif.register_heif_opener()


CODEC = HeifCodec(
    name="heif",
    suffixes=(".heic", ".heif"),
    written_as="png",
    extra="heic",
    pillow=("HEIF",),
)
