"""Where the stages read and write. README.md promises the names of the outputs to users."""

from dataclasses import dataclass
from pathlib import Path

from drnsr import project
from drnsr.config.schema import Config


def raw(config: Config) -> Path:
    """Return the folder of the fetched files."""
    return Path(config.run.data) / project.RAW


def prepared(config: Config) -> Path:
    """Return the folder of the prepared data sets."""
    return Path(config.run.data) / project.PREPARED


@dataclass(frozen=True)
class Outputs:
    """The outputs of one run, below one folder."""

    root: Path

    @classmethod
    def of(cls, config: Config) -> "Outputs":
        """Return the outputs of the run that a configuration describes."""
        return cls(Path(config.run.output))

    @property
    def model(self) -> Path:
        """The trained model."""
        return self.root / project.MODEL

    @property
    def curves(self) -> Path:
        """The folder of the training curves."""
        return self.root / project.CURVES

    @property
    def summary(self) -> Path:
        """The means over each benchmark."""
        return self.root / project.SUMMARY

    @property
    def verification(self) -> Path:
        """The measured numbers beside the published ones."""
        return self.root / project.VERIFICATION

    @property
    def per_image(self) -> Path:
        """The table with a row for each picture."""
        return self.root / project.PER_IMAGE

    @property
    def pictures(self) -> Path:
        """The folder of the side-by-side pictures."""
        return self.root / project.PICTURES

    def picture(self, benchmark: str, image: str) -> Path:
        """Return the side-by-side picture of one image of a benchmark."""
        return self.pictures / benchmark / f"{Path(image).stem}.png"

    def views(self, benchmark: str) -> Path:
        """Return the folder of what the report shows of a few images of a benchmark."""
        return self.pictures / benchmark / project.VIEWS

    def view(self, benchmark: str, image: str) -> Path:
        """Return the file of what the report shows of an image, if it is one of those."""
        return self.views(benchmark) / f"{Path(image).stem}.json"

    @property
    def report(self) -> Path:
        """The report."""
        return self.root / project.REPORT

    @property
    def circumstances(self) -> Path:
        """The folder of what a report loads: what differs each time that the same is run."""
        return self.root / project.CIRCUMSTANCES
