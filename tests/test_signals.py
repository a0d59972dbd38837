import signal

import pytest

from drnsr.errors import SignalError
from drnsr.signals import INTERRUPTS, end_at_next_signal, handle_signals, signals_raise


@pytest.fixture(autouse=True)
def earlier_handlers():
    """Handlers of the program around; they are the same after each test."""
    before = {number: signal.getsignal(number) for number in INTERRUPTS}
    yield
    after = {number: signal.getsignal(number) for number in INTERRUPTS}
    for number, handler in before.items():
        signal.signal(number, handler)
    assert after == before


@pytest.mark.parametrize("number", INTERRUPTS)
def test_a_handler_gets_the_number_and_the_block_goes_on(number):
    received = []
    with handle_signals(received.append):
        signal.raise_signal(number)
        received.append("after it")
    assert received == [number, "after it"]


def test_after_a_signal_the_next_one_can_end_the_process_at_once():
    with handle_signals(lambda number: end_at_next_signal()):
        signal.raise_signal(signal.SIGTERM)
        assert [signal.getsignal(number) for number in INTERRUPTS] == [signal.SIG_DFL] * 2


@pytest.mark.parametrize("number", INTERRUPTS)
def test_a_signal_ends_the_block_by_an_exception(number):
    with pytest.raises(SignalError, match="ended early") as caught, signals_raise("ended early"):
        signal.raise_signal(number)
    assert caught.value.exit_code == 128 + number
