import multiprocessing
from dataclasses import fields

import pytest
from joblib.externals.loky import get_reusable_executor

from drnsr.evaluation.cost import Cost, measure_cost
from drnsr.networks import DRNSR
from drnsr.training.scalars import MODEL_COSTS


def test_operations_agree_with_a_count_by_hand(monkeypatch):
    monkeypatch.setattr("drnsr.evaluation.cost.peak_memory", lambda *_: None)
    narrow = measure_cost(DRNSR(scale=2, num_features=8, num_blocks=1), 2, "cpu")
    # For each LR pixel: head 3 -> 8, a block and the body's end of 8 -> 8, tail 8 -> 12, all 3 x 3;
    # and the skip, four phases of 5 x 5 for each of three channels.
    for_each_lr_pixel = 9 * (3 * 8 + 3 * 8 * 8 + 8 * 12) + 3 * 4 * 25
    assert narrow.multiply_adds_per_megapixel == pytest.approx(for_each_lr_pixel / 4 * 1e6 / 1e9)
    assert narrow.parameters == 9 * (3 * 8 + 3 * 8 * 8 + 8 * 12) + 8 + 3 * 8 + 12
    assert narrow.seconds_per_megapixel > 0


def test_every_cost_has_a_label_and_a_format():
    assert [scalar.name for scalar in MODEL_COSTS] == [field.name for field in fields(Cost)]


def peak_of_a_network(features=8):
    return measure_cost(
        DRNSR(scale=2, num_features=features, num_blocks=1), 2, "cpu"
    ).peak_memory_mib


@pytest.mark.slow
def test_peak_memory_holds_at_least_the_widest_layer():
    widest_layer = 128 * 256 * 256 * 4 / 2**20
    assert peak_of_a_network(128) - peak_of_a_network() > widest_layer


def put_peak(queue):
    queue.put(peak_of_a_network())


@pytest.mark.slow
def test_measuring_in_a_joblib_worker_keeps_its_pool_alive():
    pool = get_reusable_executor(max_workers=1)
    first = pool.submit(peak_of_a_network).result()
    second = pool.submit(peak_of_a_network).result()
    pool.shutdown()
    assert first > 0
    assert second > 0


@pytest.mark.slow
def test_measuring_in_a_daemon_process():
    spawn = multiprocessing.get_context("spawn")
    queue = spawn.Queue()
    process = spawn.Process(target=put_peak, args=(queue,), daemon=True)
    process.start()
    assert queue.get(timeout=120) > 0
    process.join()
