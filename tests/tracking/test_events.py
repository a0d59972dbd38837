import math

import pytest

from drnsr.tracking.events import (
    CopyEvaluation,
    LogArtifact,
    LogDatasets,
    LogImage,
    LogMetrics,
    LogModel,
    LogTable,
    Point,
    SetDescription,
    SetStatus,
    SetTags,
    UsedDataset,
    from_line,
    to_line,
)

# Lines as earlier versions wrote them.
EVENTS = [
    (
        b'{"do": "metrics", "points": [["loss", 0.3333333333333333, 1795716183916, 3]]}',
        LogMetrics(points=(Point("loss", 1 / 3, 1795716183916, 3),)),
    ),
    (b'{"do": "tags", "tags": {"a": "b"}}', SetTags(tags={"a": "b"})),
    (
        b'{"do": "artifact", "kept": "files/2/benchmark.json", "to": "evaluation"}',
        LogArtifact(kept="files/2/benchmark.json", to="evaluation"),
    ),
    (
        b'{"do": "model", "kept": "files/1/model.safetensors", "example": "89504e47"}',
        LogModel(kept="files/1/model.safetensors", example=b"\x89PNG"),
    ),
    (
        b'{"do": "datasets", "datasets": [["set5", "00ff", "evaluation", 5, "data/set5"]]}',
        LogDatasets(datasets=(UsedDataset("set5", "00ff", "evaluation", 5, "data/set5"),)),
    ),
    (
        b'{"do": "table", "kept": "files/3/set5.json", "to": "tables/set5.json"}',
        LogTable(kept="files/3/set5.json", to="tables/set5.json"),
    ),
    (
        b'{"do": "image", "kept": "files/4/crop.png", "key": "crop", "step": 10, "time": 3}',
        LogImage(kept="files/4/crop.png", key="crop", step=10, time=3),
    ),
    (b'{"do": "description", "markdown": "RUN_ID"}', SetDescription(markdown="RUN_ID")),
    (
        b'{"do": "evaluation of the same model", "model_sha256": "00ff"}',
        CopyEvaluation(model_sha256="00ff"),
    ),
    (
        b'{"do": "status", "status": "FINISHED", "time": 1764000001000}',
        SetStatus(status="FINISHED", time=1764000001000),
    ),
]


@pytest.mark.parametrize(("line", "event"), EVENTS, ids=lambda each: type(each).__name__)
def test_an_event_is_the_same_on_the_disk_in_every_version(line, event):
    assert from_line(line) == event
    written = to_line(event)
    assert written.endswith(b"\n")
    assert b"\n" not in written[:-1]
    assert written.strip().replace(b" ", b"") == line.replace(b" ", b"")
    assert from_line(written) == event


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.1, 1e-320])
def test_every_value_of_a_metric_comes_back_to_the_bit(value):
    event = LogMetrics(points=(Point("loss", value, 1, 2),))
    assert str(from_line(to_line(event))) == str(event)


@pytest.mark.parametrize(
    "line",
    [
        b'{"do": "dance"}',
        b'{"do": "tags"}',
        b'{"do": "tags", "tags": {}, "more": 1}',
        b'{"do": "status", "status": "LOST", "time": 1}',
        b"half a li",
    ],
)
def test_a_line_that_is_not_an_event_is_refused(line):
    with pytest.raises(ValueError, match="validation error"):
        from_line(line)
