"""The memory that is left, by the files of Linux."""

import pytest

from drnsr.images import memory

MEMINFO = "MemTotal:  9000 kB\nMemAvailable:    4000 kB\nSwapFree:     96 kB\nHugePages_Total:  0\n"


@pytest.mark.parametrize(
    ("meminfo", "limit", "expected"),
    [
        (MEMINFO, None, 4096 * 1024),
        (MEMINFO, "max\n", 4096 * 1024),
        (MEMINFO, "1000\n", 1000),
        (None, "1000\n", float("inf")),
        ("MemTotal: 9 kB\n", None, float("inf")),
    ],
)
def test_memory_is_known_on_linux(tmp_path, monkeypatch, meminfo, limit, expected):
    for name, content in (("_MEMINFO", meminfo), ("_LIMIT_OF_GROUP", limit)):
        monkeypatch.setattr(memory, name, tmp_path / name)
        if content is not None:
            (tmp_path / name).write_text(content)
    assert memory.available_memory() == expected
