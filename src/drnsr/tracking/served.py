"""The program that MLflow runs to load a logged model; a pickle could run anything instead."""

from mlflow.models import set_model

from drnsr.tracking.serving import PictureModel

set_model(PictureModel())
