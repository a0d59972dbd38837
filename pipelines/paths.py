"""Where the stages read and write. Other programs rely on the names of outputs: README.md."""

from dataclasses import dataclass
from pathlib import Path

from drnsr import project
from drnsr.config.schema import Config


def raw(config: Config) -> Path:
    """Folder of the fetched files."""
    return Path(config.run.data) / project.RAW


def prepared(config: Config) -> Path:
    """Folder of the datasets."""
    return Path(config.run.data) / project.PREPARED


@dataclass(frozen=True)
class Outputs:
    """What one run makes, below one folder."""

    root: Path

    @classmethod
    def of(cls, config: Config) -> "Outputs":
        """Those of the run that a configuration describes."""
        return cls(Path(config.run.output))

    @property
    def model(self) -> Path:
        """The trained model."""
        return self.root / project.MODEL

    @property
    def curves(self) -> Path:
        """Folder of the training curves."""
        return self.root / project.CURVES

    @property
    def summary(self) -> Path:
        """Means of each benchmark."""
        return self.root / project.SUMMARY

    @property
    def verification(self) -> Path:
        """Our numbers beside the published ones."""
        return self.root / project.VERIFICATION

    @property
    def per_image(self) -> Path:
        """A row for each picture."""
        return self.root / project.PER_IMAGE

    @property
    def pictures(self) -> Path:
        """Folder of the side-by-side pictures."""
        return self.root / project.PICTURES

    def picture(self, benchmark: str, image: str) -> Path:
        """The side-by-side picture of one image of a benchmark."""
        return self.pictures / benchmark / f"{Path(image).stem}.png"

    @property
    def report(self) -> Path:
        """The report."""
        return self.root / project.REPORT
