"""What MLflow runs to load a logged model: code, where a pickle would execute whatever it holds."""

from mlflow.models import set_model

from drnsr.tracking.serving import PictureModel

set_model(PictureModel())
