"""The data of associative recall: what is asked was written, and the last write counts."""

import numpy as np
import pytest

from helpers.data.pairs import pairs, rewritten_pairs

RNG = np.random.default_rng


@pytest.mark.parametrize(("make", "writes"), [(pairs, 6), (rewritten_pairs, 6)])
def test_a_dictionary_answers_every_question(make, writes):
    inputs, targets, mask = make(6, 5, RNG(0), keys=9, values=4)
    asked = 6 if make is pairs else 3
    assert inputs.shape == (writes + asked, 5, 2)
    assert targets.shape == mask.shape == inputs.shape[:2]
    for b in range(5):
        memory, seen = {}, []
        for (key, value), target, scored in zip(inputs[:, b], targets[:, b], mask[:, b]):
            assert scored == (value == 4)
            if scored:
                assert memory[key] == target
                seen.append(key)
            else:
                assert make is rewritten_pairs or key not in memory
                assert memory.get(key) != value or make is pairs
                memory[key] = value
        assert sorted(seen) == sorted(memory)
        assert len(memory) == asked


def test_orders_and_values_are_random():
    inputs, targets, _ = pairs(16, 2000, RNG(0), keys=16, values=4)
    assert abs((inputs[0, :, 0] == inputs[16, :, 0]).mean() - 1 / 16) < 0.02
    assert abs((targets[16:] == 0).mean() - 1 / 4) < 0.01
    inputs, _, _ = rewritten_pairs(4, 4000, RNG(1), keys=2, values=3)
    assert abs((inputs[0, :, 0] == inputs[1, :, 0]).mean() - 1 / 3) < 0.03


@pytest.mark.parametrize("make", [pairs, rewritten_pairs])
def test_borders(make):
    for bad in (0, -2, 2.0, True, np.uint8(2), None):
        with pytest.raises(ValueError, match="^n must"):
            make(bad, 2, RNG(0))
        with pytest.raises(ValueError, match="^B must"):
            make(2, bad, RNG(0))
    with pytest.raises(ValueError, match="^n must not exceed keys = 3"):
        make(8, 2, RNG(0), keys=3)
    with pytest.raises(ValueError, match="^values must be at least 2"):
        make(2, 2, RNG(0), values=1)


def test_an_odd_number_of_writes_is_refused():
    with pytest.raises(ValueError, match="^n must be even"):
        rewritten_pairs(3, 2, RNG(0))
