"""The schema of the configuration: every key, its type, and the values that it may have.

conf/ holds the values themselves and their reasons. The upper limits of workers, connections,
threads and crops are more than any machine can run: without them, a mistyped number would be tried.
"""

from drnsr.config.schema.data import Benchmark, Data, Part, Single
from drnsr.config.schema.model import GAN
from drnsr.config.schema.sweep import Parameter, Study
from drnsr.config.schema.training import DataModule
from drnsr.config.schema.training_keys import TRAINING_KEYS, recipe, select
from drnsr.config.schema.whole import ComposedConfig, Config

__all__ = [
    "GAN",
    "TRAINING_KEYS",
    "Benchmark",
    "ComposedConfig",
    "Config",
    "Data",
    "DataModule",
    "Parameter",
    "Part",
    "Single",
    "Study",
    "recipe",
    "select",
]
