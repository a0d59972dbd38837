"""The card as a reader of Markdown sees it."""

import csv

import pytest
import yaml
from markdown_it import MarkdownIt

from drnsr.config.compose import compose_choices, validate
from drnsr.config.schema import recipe
from drnsr.evaluation.protocol import get_protocol
from drnsr.evaluation.published import find_published
from drnsr.evaluation.results import Row, summary
from drnsr.evaluation.verify import PublishedComparison
from drnsr.reporting.card import model_card
from tests.conftest import PROJECT


def row(benchmark, image, bicubic_psnr, bicubic_ssim, psnr, ssim):
    """The values of a picture of 100 pixels."""
    bicubic = {"psnr": bicubic_psnr, "ssim": bicubic_ssim}
    return Row(benchmark, image, 100, bicubic, {"psnr": psnr, "ssim": ssim})


ROWS = [
    row("set5", "a.png", 30.0, 0.9, 31.0, 0.91),
    row("set5", "b.png", 32.0, 0.8, 36.0, 0.85),
    row("set14", "a.png", 25.125, 0.7, 26.375, 0.75),
]


def config(**choices):
    return validate(compose_choices({"experiment": "release_x2", **choices})).model_dump()


def card(configuration, *, rows=ROWS, comparisons=(), cost=None, name_files=False):
    return model_card(
        "drnsr-x2",
        config=configuration,
        recipe=recipe(configuration),
        summary=summary(rows, scale=2, protocol=get_protocol("paper_y")),
        comparisons=comparisons,
        cost=cost or {},
        lineage={"git commit": "0123abc", "model (sha256)": "f" * 64},
        name_files=name_files,
    )


def tables(text):
    """The cells of each table, by an independent reader."""
    found, cells = [], []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            cells = []
            found[-1].append(cells)
        elif token.type == "inline" and found:
            cells.append(token.content)
    return found


def published(method, dataset, scale=2):
    path = PROJECT / "src/drnsr/evaluation/published_results.csv"
    for row in csv.DictReader(path.read_text().splitlines()):
        if (row["method"], row["dataset"], row["scale"]) == (method, dataset, str(scale)):
            return f"{float(row['psnr_db']):.2f} / {row['ssim']}", row["source"]
    raise AssertionError(method)


def test_the_means_are_beside_the_published_rows_with_protocol_and_source():
    text = card(config())
    (table,) = tables(text)
    assert table[0][2:4] == ["set5, 2 pictures", "set14, 1 pictures"]
    rows = {(row[0], row[1]): row for row in table[1:]}
    ours = rows["**drnsr-x2**", "paper_y"]
    assert ours[2:] == ["33.50 / 0.8800", "26.38 / 0.7500", "measured"]
    assert rows["bicubic", "paper_y"][2:4] == ["31.00 / 0.8500", "25.12 / 0.7000"]
    for method in ("Bicubic", "SRCNN", "VDSR", "CARN", "IMDN"):
        (row,) = (row for row in table if row[0] == method)
        for cell, dataset in zip(row[2:4], ("Set5", "Set14"), strict=True):
            number, source = published(method, dataset)
            assert cell == number
            assert f"- {row[4]} {source}\n" in text


def test_another_scale_has_its_own_published_rows():
    (table,) = tables(card(config(experiment="release_x4")))
    (row,) = (row for row in table if row[0] == "IMDN")
    assert row[2] == published("IMDN", "Set5", 4)[0]


def test_the_verified_bicubic_row_is_in_the_table():
    published = find_published("Bicubic", "Set5", 2)
    ours = {"psnr": 33.66214, "ssim": 0.92988}
    verified = PublishedComparison("set5", "bicubic", "classic_y", ours, published)
    (table,) = tables(card(config(), comparisons=[verified]))
    assert ["bicubic", "classic_y", "33.66 / 0.9299", "-", "measured"] in table


def test_a_benchmark_without_published_numbers_has_only_our_rows():
    rows = [row("sample_test", "a.png", 30.0, 0.9, 31.0, 0.91)]
    (table,) = tables(card(config(benchmark="sample_test"), rows=rows))
    assert [row[0] for row in table] == ["method", "**drnsr-x2**", "bicubic"]


def test_a_benchmark_that_is_not_in_the_configuration_has_only_our_rows():
    rows = [row("later", "a.png", 30.0, 0.9, 31.0, 0.91)]
    (table,) = tables(card(config(), rows=rows))
    assert [row[0] for row in table] == ["method", "**drnsr-x2**", "bicubic"]


def test_data_recipe_and_lineage_are_those_of_the_configuration():
    configuration = config(data="bsds500")
    text = card(configuration, cost={"parameters": "1,000"})
    assert "- all: non-commercial research and education\n" in text
    assert "`train__302003.jpg`" in text
    assert "withheld for validation: 2.5%" in text
    assert "- git commit: 0123abc\n" in text
    assert "- parameters: 1,000\n" in text
    _, network, recipe = (part.partition("```\n")[0] for part in ("", *text.split("```yaml\n")[1:]))
    own = {"scale": 2, "num_features": 48, "num_blocks": 7, "channels": 3}
    assert yaml.safe_load(network) == own
    read = yaml.safe_load(recipe)
    assert read["trainer"] == configuration["trainer"]
    assert read["optimizer"] == configuration["optimizer"]


def test_every_licence_is_named_and_a_missing_one_is_mentioned():
    text = card(config(data="sample"))
    assert "- `rocket.jpg`: public domain, SpaceX\n" in text
    assert "- all: not stated\n" in card(config(data="folder", set={"folder": "x"}))


def test_the_card_has_no_folder_of_the_machine():
    text = card(config() | {"init_from": "/home/me/private/start.safetensors"})
    assert "init_from: start.safetensors" in text
    assert "/home" not in text


def test_each_picture_is_named_with_its_licence_where_there_is_room():
    configuration = config(data="open_photos_bsds500")
    text = card(configuration, name_files=True)
    (left_out,) = (line for line in text.splitlines() if line.startswith("- left out: "))
    for part in configuration["data"]["parts"].values():
        files = [PROJECT / registry for registry in part["registries"]]
        for line in (line for file in files for line in file.read_text().splitlines()):
            name = line.split()[0].replace("/", "__")
            assert text.count(name) == 1
            assert (name in part["exclude"]) == (f"`{name}`" in left_out)
    assert "- all of bsds500 (399: train__" in text
    assert "- `gb82__*` (25: gb82__baby-lossless.png, " in text
    assert "downscaled before: `budgie__*` by 2, " in text
    assert len(card(configuration)) < 5000  # in MLflow's store


def test_the_card_names_the_limits():
    text = card(config())
    for words in ("invented", "no evidence", "not for diagnosis", "bicubic interpolation made"):
        assert words in text
    assert "discriminator" not in text
    assert "its PSNR and SSIM are lower on\n  purpose" in card(config(experiment="photo_gan"))


@pytest.mark.parametrize("protocol", ["rgb", {"name": "mine", "border_pixels": 2}])
def test_the_protocol_is_that_of_the_summary(protocol):
    configuration = config(set={"protocol": protocol})
    measured = summary(ROWS, scale=2, protocol=get_protocol(protocol))
    text = model_card(
        "m", config=configuration, recipe={}, summary=measured, comparisons=[], cost={}, lineage={}
    )
    (table,) = tables(text)
    assert table[1][1] == get_protocol(protocol).name
    assert get_protocol(protocol).description in text
    # The same run, measured anew by another.
    assert tables(card(configuration))[0][1][1] == "paper_y"
