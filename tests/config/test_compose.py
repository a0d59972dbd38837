"""Composition, and the error message for a mistake in a choice, key or value."""

import shutil

import pytest

from drnsr.config.compose import compose_graph, to_yaml
from drnsr.errors import UserError
from tests.conftest import PROJECT

CONF = PROJECT / "conf"


def composed(tmp_path, params="", conf=CONF):
    (tmp_path / "params.yaml").write_text(params or "seed: null\n")
    return compose_graph(tmp_path / "params.yaml", conf)


def crops(side, more="seed: 0"):
    """The line of params.yaml for crops of ``side`` HR pixels, as a discriminator needs."""
    return f"set: {{datamodule: {{patch_size: null, hr_patch_size: {side}}}, {more}}}"


def test_the_projects_own_choices_compose():
    config = compose_graph(PROJECT / "params.yaml")
    assert config.run.output == "."
    assert config.init_from is None  # conf/from_scratch


def test_the_default_is_the_founding_papers_network(tmp_path):
    assert composed(tmp_path).model.name == "drnsr"


def test_ones_own_pictures_can_be_shrunk_by_name_and_pairs_cannot(tmp_path):
    params = "data: {0}\nfolder: x\nset: {{data: {{parts: {{{0}: {{shrink: {{'*.jpg': 2}}}}}}}}}}"
    part = composed(tmp_path, params.format("folder")).data.parts["folder"]
    assert part.shrink == {"*.jpg": 2}
    with pytest.raises(UserError, match=r"^data.parts: pairs cannot be shrunk; take shrink away$"):
        composed(tmp_path, params.format("pairs"))


def test_a_folder_may_have_any_name(tmp_path):
    name = "/data/photos (2024), a=b {x}"
    assert composed(tmp_path, f"data: folder\nfolder: '{name}'").data.parts["folder"].folder == name


def test_choices_groups_and_single_values(tmp_path):
    params = "model: edsr_baseline\nscale: 3\nset: {optimizer: {lr: 1e-4}, trainer: {max_steps: 7}}"
    config = composed(tmp_path, params)
    assert config.model.network["scale"] == 3
    assert config.optimizer["lr"] == 1e-4
    assert config.scheduler["total_steps"] == 7  # interpolations follow single values


def test_schedules_without_an_end_suit_any_number_of_steps(tmp_path):
    for scheduler in ("step", "multi_step", "cosine_restarts"):
        params = f"scheduler: {scheduler}\nset: {{trainer: {{max_steps: 7}}}}"
        assert composed(tmp_path, params).trainer.max_steps == 7
    written = "set: {trainer: {max_steps: 7}, scheduler: {total_steps: 7}}"
    assert composed(tmp_path, written).scheduler["total_steps"] == 7


def test_a_network_on_luma_may_be_measured_by_a_protocol_on_luma(tmp_path):
    config = composed(tmp_path, "model: vdsr\nscale: 3\nset: {protocol: classic_y}")
    assert config.protocol == "classic_y"


def test_no_path_of_this_machine_is_in_it(tmp_path):
    assert str(PROJECT) not in to_yaml(composed(tmp_path))


@pytest.mark.parametrize(
    "group",
    ["model", "data", "benchmark", "loss", "optimizer", "scheduler", "clipping"],
)
def test_every_choice_of_every_group_composes(tmp_path, group):
    for path in (CONF / group).glob("*.yaml"):
        # Data of bands and its benchmark go together, in the experiment of the same name.
        together = "pixels:\n" in path.read_text()
        params = f"{'experiment' if together else group}: {path.stem}"
        assert getattr(composed(tmp_path, params), group)


def test_a_discriminator_has_the_size_of_the_training_crops(tmp_path):
    config = composed(tmp_path, f"gan: esrgan\nscale: 4\n{crops(64)}")
    assert config.gan.discriminator["input_size"] == 64
    assert config.gan.features.weights == "conf/registry/vgg19.txt"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("model: resnet", "Could not find 'model/resnet'.* drnsr"),
        ("data: imagenet", "Could not find 'data/imagenet'.* sample"),
        ("experiment: nobel_prize", "nobel_prize"),
        ("modle: drnsr", "unknown key 'modle'.*model"),
        ("scale: two", "scale.*two"),
        ("scale: 7", r"scale 7 is not among data.scales \[2, 3, 4\]"),
        ("set: {optimizer: {lrr: 1}}", "optimizer.lrr"),
        ("set: {optimzer: {lr: 1}}", "^optimzer: there is no such key; resolved.yaml lists them"),
        ("set: {optimizer: {lr: fast}}", "optimizer.lr: 'fast' is not"),
        ("set: {trainer: {max_steps: many}}", "trainer.max_steps"),
        ("set: {model: {network: {num_blocks: 1.5}}}", "model.network.num_blocks: 1.5 is not int"),
        ("set: {model: {network: {num_blokcs: 2}}}", "num_blokcs"),
        (
            "set: {data: {scales: [2]}, datamodule: {scales: [2, 3]}}",
            "scale 3 is not among data.scales",
        ),
        (
            "set: {datamodule: {scales: []}}",
            "datamodule.scales: .. is not different whole numbers from 2",
        ),
        (
            "set: {datamodule: {scales: [2, 3]}}",
            "model.network: DRNSR has no x3; it enlarges by x2",
        ),
        ("set: {datamodule: {hr_patch_size: 41}}", "datamodule: give patch_size or hr_patch_size"),
        ("set: {datamodule: {patch_size: null}}", "datamodule: give patch_size or hr_patch_size"),
        ("set: {datamodule: {patch_size: 0}}", "datamodule.patch_size: 0 is not 1 or more"),
        (
            "set: {datamodule: {patch_size: null, hr_patch_size: 1}}",
            "datamodule.hr_patch_size: 1 is not 2 or more",
        ),
        ("init_from: nowhere.pt", "init_from: there is no file nowhere.pt"),
        ("init_from: hf://me/a@v1", "and `set: {init_from: hf://me/a@v1}`"),
        ("set: {init_from: hf://me/a@v1}", "hf://me/a@v1: DVC cannot see when this model changes"),
        ("set: {init_from: a.pt}", "set: init_from stands at the top"),
        ("set: {folder: pictures}", "set: folder stands at the top"),
        ("clipping: adjustable\nset: {clipping: {max_norm: 1}}", "max_norm"),
        (
            "scheduler: multi_step\nset: {scheduler: {gamma: half}}",
            "scheduler.gamma: .half. is not",
        ),
        ("set: 5", "set: expected keys and values"),
        ("scale: 2\nset: {data: {scales: [2, 2]}}", "data.scales"),
        ("gan: esrgan", "gan.discriminator.input_size: None is not int"),  # with other crops
        (f"gan: esrgan\n{crops(100)}", "discriminator: input_size: 100 is not a multiple of 32"),
        (
            f"gan: esrgan\n{crops(64, 'gan: {discriminator: {input_size: 128}}')}",
            "gan.discriminator: the discriminator judges 128 x 128 pixels, not 64 x 64",
        ),
        (
            f"gan: esrgan\n{crops(64, 'gan: {weights: {adversarial: -1}}')}",
            "gan.weights.adversarial: -1 is not 0 or more",
        ),
        (f"gan: unet\n{crops(100)}", "gan.discriminator: .* multiples of 8, not 100 x 100"),
        (
            f"gan: unet_st_lpips\n{crops(16)}",
            "gan.features.network: .* 24 x 24 pixels or more are compared, not 16",
        ),
        (
            f"gan: unet\n{crops(64, 'gan: {features: {layer_weights: [1.0]}}')}",
            "gan.features.layer_weights: 1 weights, and the network gives 5 layers",
        ),
        (f"gan: esrgan\nmodel: vdsr\n{crops(64)}", "gan: needs a network on RGB"),
        ("set: {protocol: paper_z}", "protocol: 'paper_z' is unknown .known: paper_y"),
        ("set: {trainer: {max_steps: 0}}", "trainer.max_steps: 0 is not 1 or more"),
        (
            "set: {trainer: {max_steps: 300}, scheduler: {total_steps: 140}}",
            "scheduler.total_steps: 140 is not trainer.max_steps, 300, but this schedule ends",
        ),
        (
            "scheduler: warmup_linear\nset: {scheduler: {total_steps: 900}}",
            "scheduler.total_steps: 900 is not trainer.max_steps, 500, but this schedule ends",
        ),
        ("set: {trainer: {precision: half}}", "trainer.precision: half is not one of"),
        ("seed: -1", "seed: -1 is not 0 or more"),
        (
            "model: edsr\nscale: 6\nset: {data: {scales: [6]}}",
            "model.network: scale 6 is neither 3 nor a power of two",
        ),
        ("model: dbpn\nscale: 3", "model.network: dbpn has no x3; it has x2, x4 and x8"),
        (
            "model: vdsr\nscale: 8\nset: {data: {scales: [8]}}",
            "model.network: VDSR has no x8; it enlarges by x2 or x3 or x4",
        ),
        (
            "model: vdsr\nloss: l1_frequency_luma",
            "loss.luma_weight: is for a network on RGB, and vdsr is on Y; take 0",
        ),
        (
            "data: pairs\nset: {data: {crop_grid: hr}}",
            "data.crop_grid: the LR of pairs has one grid; take lr",
        ),
        (
            "set: {protocol: classic_y}",
            "protocol: classic_y makes LR of luma alone, and model drnsr takes RGB",
        ),
        ("[1, 2]", "params.yaml: expected keys and values"),
        ("a: [1", "params.yaml: not readable as YAML"),
    ],
)
def test_a_mistake_is_reported_in_one_line_that_names_it(tmp_path, params, message):
    with pytest.raises(UserError, match=message) as caught:
        composed(tmp_path, params)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("trainer/default.yaml", "precision:", "precison:", "precison"),
        ("trainer/default.yaml", "max_steps: ", "max_steps: x", "trainer.max_steps"),
        (
            "model/drnsr.yaml",
            "num_blocks",
            "num_blokcs",
            "model.network.num_blokcs: .* no such key",
        ),
        ("model/drnsr.yaml", "networks.DRNSR", "networks.DRSNR", "cannot import"),
        ("data/sample.yaml", "registries:", "registres:", "registres"),
        ("optimizer/adam.yaml", "betas", "beta", "optimizer.beta: .* no such key"),
        ("optimizer/adam.yaml", "[0.9", "[[0.9", "parsing a flow sequence.*optimizer/adam.yaml"),
    ],
)
def test_a_mistake_in_conf_is_reported_in_one_line_that_names_it(tmp_path, file, old, new, message):
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    text = (conf / file).read_text()
    assert old in text
    (conf / file).write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=message) as caught:
        composed(tmp_path, conf=conf)
    assert "\n" not in str(caught.value)


def test_a_choice_may_not_contradict_the_experiment(tmp_path):
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    (conf / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /model: edsr_baseline\nscale: 4\n"
    )
    assert composed(tmp_path, "experiment: mine", conf).model.name == "edsr_baseline"
    assert composed(tmp_path, "experiment: mine\nscale: 4", conf).scale == 4
    for params in ("model: drnsr", "scale: 2"):
        with pytest.raises(UserError, match="contradicts experiment mine"):
            composed(tmp_path, f"experiment: mine\n{params}", conf)
