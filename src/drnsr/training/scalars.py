"""The numbers that are recorded of a training: its curves, and what it and its model cost.

The CSV files, the plots, the names in MLflow and the costs in the report and the card are made from
these lists.
"""

from dataclasses import dataclass

UNKNOWN = "not known on this system"


@dataclass(frozen=True, kw_only=True)
class Scalar:
    """A number that is recorded.

    Attributes:
        name: in MLflow and in JSON.
        label: in plots and tables.
        unit: after the number; empty if it has none.
        per: what it is counted for, such as "output megapixel"; empty if it is a total.
        spec: the format of the number, as :func:`format` takes it.
        column: in the CSV file of its curve; empty if it has no curve.
    """

    name: str
    label: str
    unit: str = ""
    per: str = ""
    spec: str
    column: str = ""

    @property
    def heading(self) -> str:
        """The label with what it is counted for."""
        return f"{self.label} per {self.per}" if self.per else self.label

    def text(self, value: float | None) -> str:
        """Format a value with its unit; None is a value that cannot be measured here."""
        if value is None:
            return UNKNOWN
        number = format(value, self.spec)
        return f"{number} {self.unit}" if self.unit else number


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A CSV file with the column ``step`` and a column for each scalar.

    Attributes:
        file: its name.
        title: of its plot; ``{colour}`` stands for the channels that the network works on.
        scalars: the columns after ``step``; the first one is plotted.
        is_dense: whether the points are so many that they are drawn as a line without markers.
    """

    file: str
    title: str
    scalars: tuple[Scalar, ...]
    is_dense: bool

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns."""
        return ("step", *(scalar.column for scalar in self.scalars))


TRAIN_LOSS = Scalar(name="train_loss", label="loss", spec=".4f", column="loss")
LEARNING_RATE = Scalar(
    name="learning_rate", label="learning rate", spec=".2e", column="learning_rate"
)
PIXEL_TERM = Scalar(name="train_pixel", label="pixel term", spec=".4f", column="pixel")
PERCEPTUAL_TERM = Scalar(
    name="train_perceptual", label="perceptual term", spec=".4f", column="perceptual"
)
ADVERSARIAL_TERM = Scalar(
    name="train_adversarial", label="adversarial term", spec=".4f", column="adversarial"
)
DISCRIMINATOR_LOSS = Scalar(
    name="train_discriminator",
    label="loss of the discriminator",
    spec=".4f",
    column="discriminator",
)
VAL_PSNR = Scalar(name="val_psnr", label="PSNR", unit="dB", spec=".2f", column="psnr_db")

TRAINING_CURVE = Curve(
    file="training_loss.csv",
    title="Training loss",
    scalars=(TRAIN_LOSS, LEARNING_RATE),
    is_dense=True,
)
VALIDATION_CURVE = Curve(
    file="validation_psnr.csv",
    title="Validation PSNR ({colour})",
    scalars=(VAL_PSNR,),
    is_dense=False,
)
CURVES = (TRAINING_CURVE, VALIDATION_CURVE)
DISCRIMINATOR_CURVE = Curve(
    file=TRAINING_CURVE.file,
    title="Loss of the discriminator",
    scalars=(DISCRIMINATOR_LOSS,),
    is_dense=True,
)
"""A further column of the file, if the training was against a discriminator."""

SECONDS = Scalar(name="seconds", label="seconds", unit="s", spec=".0f")
SAMPLES_PER_SECOND = Scalar(
    name="samples_per_second", label="speed", unit="samples per second", spec=".0f"
)
SKIPPED_LOSSES = Scalar(
    name="skipped_losses", label="skipped losses", unit="losses skipped", spec=".0f"
)

TRAINING_COSTS = (SECONDS, SAMPLES_PER_SECOND, SKIPPED_LOSSES)
"""What a training takes, beside its precision."""

STOPPED_AFTER = "stopped_after"
"""In MLflow, beside these, of a training that stopped early: the number of its steps."""

MODEL_SIZES = (
    Scalar(name="parameters", label="parameters", spec=",.0f"),
    Scalar(
        name="multiply_adds_per_megapixel",
        label="multiply-adds",
        unit="G",
        per="output megapixel",
        spec=",.1f",
    ),
)
"""What the model is: the same on each machine."""

MODEL_TIMES = (
    Scalar(name="seconds_per_megapixel", label="seconds", per="output megapixel", spec=".2f"),
    Scalar(name="peak_memory_mib", label="peak memory", unit="MiB", spec=",.0f"),
)
"""What the model takes on a machine."""

MODEL_COSTS = (*MODEL_SIZES, *MODEL_TIMES)
"""What the model costs: the fields of :class:`drnsr.evaluation.cost.Cost`."""
