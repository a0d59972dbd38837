"""Make a registered model the champion of its name, if it is proven to be better.

It is compared with the current champion image by image: its mean must be better, and the 95 %
interval must exclude zero. Otherwise nothing changes, and the command says why.
"""

import argparse

from drnsr.cli import register
from drnsr.errors import printable
from drnsr.evaluation.metrics import PRIMARY, get_metrics


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    register.add_arguments(parser)
    parser.add_argument("--benchmark", help="the benchmark that decides, if the run has several")
    parser.add_argument(
        "--metric",
        default=PRIMARY.name,
        help="the metric that decides, one that the graph computes (default: %(default)s)",
    )


def run(parsed: argparse.Namespace) -> None:
    """Compare the two, move the alias, and print the result.

    Raises:
        NotBetterError: if it is not proven to be better.
    """
    from drnsr.tracking.promotion import NotBetterError, in_words, proven_gain
    from drnsr.tracking.record import find_record, read_evaluation
    from drnsr.tracking.registry import find_champion, set_champion

    (metric,) = get_metrics([parsed.metric])
    version, _ = register.ensure_registered(find_record(parsed.run), parsed.name)
    champion = find_champion(version.name)
    if champion == version:
        print(printable(f"{version} is the champion already"))
        return
    if champion is None:
        set_champion(version)
        print(printable(f"{version} is the champion now, for there was none"))
        return
    evaluations = read_evaluation(champion.run_id), read_evaluation(version.run_id)
    try:
        benchmark, gain = proven_gain(*evaluations, parsed.benchmark, metric)
    except NotBetterError as error:
        raise NotBetterError(f"{champion} stays the champion; {version}: {error}") from error
    set_champion(version)
    change = f"in place of version {champion.number}: {in_words(gain)} of {benchmark}"
    print(printable(f"{version} is the champion now, {change}"))
