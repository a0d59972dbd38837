"""The page of `drnsr compare`: several methods on the same pictures."""

from collections.abc import Mapping, Sequence

from drnsr.evaluation.cost import Cost
from drnsr.evaluation.scores import ScoreSet
from drnsr.reporting.beside_published import OurMethod, beside_published
from drnsr.reporting.names import short_names
from drnsr.reporting.page import Pictures, render
from drnsr.reporting.sections import BenchmarkSection, benchmark_sections
from drnsr.training.scalars import MODEL_COSTS


def render_comparison(
    scores: ScoreSet,
    *,
    published: Mapping[str, str | None],
    degradations: Mapping[str, str],
    pictures: Pictures,
    why_no_pictures: str,
    baseline: str,
    reference_seconds: float | None,
    device: str,
    command: str,
) -> str:
    """Render the page.

    Args:
        scores: of two methods or more; the others are compared with the first.
        published: the name of each benchmark in the published tables; None if it has none.
        degradations: the name of the degradation of each benchmark that has one.
        pictures: the views of pictures, at least those with the largest and the least gains of the
            second method over the first.
        why_no_pictures: if there are none.
        baseline: the method by which the crops of the pictures were chosen.
        reference_seconds: those of the network that published costs are relative to; None if they
            were not measured.
        device: that the costs were measured on.
        command: that makes the page again.
    """
    names = short_names(scores.methods)
    drawn, scores = scores.methods, scores.renamed(names)
    sections = benchmark_sections(scores, degradations)
    return render(
        "compare.html.j2",
        sections=sections,
        methods=scores.methods,
        drawn=drawn,
        full_names={short: name for name, short in names.items() if short != name},
        scale=scores.scale,
        protocol=scores.protocol,
        beside=beside_published(
            _best_last(scores, sections),
            published,
            scale=scores.scale,
            protocol=scores.protocol,
            metrics=scores.metrics,
            reference_seconds=reference_seconds,
        ),
        costs={name: _cost_texts(cost) for name, cost in scores.costs.items()},
        cost_headings=[scalar.heading for scalar in MODEL_COSTS],
        device=device,
        pictures=pictures,
        why_no_pictures=why_no_pictures,
        baseline=baseline,
        command=command,
    )


def _cost_texts(cost: Cost) -> list[str]:
    return [scalar.text(getattr(cost, scalar.name)) for scalar in MODEL_COSTS]


def _best_last(scores: ScoreSet, sections: Sequence[BenchmarkSection]) -> Sequence[OurMethod]:
    """Return the methods, the one last that is the best on the first benchmark."""
    best = sections[0].best_method
    return [
        OurMethod(
            method,
            {section.name: section.means[method] for section in sections},
            cost.parameters if (cost := scores.costs.get(method)) else None,
            cost.seconds_per_megapixel if cost else None,
        )
        for method in sorted(scores.methods, key=lambda method: method == best)
    ]
