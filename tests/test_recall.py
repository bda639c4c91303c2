"""The model of the recall studies: its gradients, and that all memories have one size."""

import numpy as np
import pytest
import recall

from helpers import gradcheck

TINY = {**recall.SETTINGS, "keys": 4, "values": 2, "embedding": 2, "width of the sum": 2}


@pytest.mark.parametrize("name", recall.MEMORIES)
@pytest.mark.parametrize("task", recall.TASKS)
def test_gradients_of_the_model(name, task):
    rng = np.random.default_rng(5)  # with others the mLSTM's input gate has gradients near zero
    params = {k: a.astype(np.float64) for k, a in recall.new_model(name, 2, rng, TINY).items()}
    batch = recall.make(task, 4, 2, rng, TINY)
    _, grads, _ = recall.loss_and_grads(name, params, batch)
    assert grads.keys() == params.keys()
    errors = gradcheck.compare(lambda: recall.loss_and_grads(name, params, batch)[0], params, grads)
    gradcheck.largest(errors, 1e-6)


def test_all_memories_have_one_size():
    rng, sizes = np.random.default_rng(0), []
    for name in recall.MEMORIES:
        width = recall.width_of(name, recall.SETTINGS)
        sizes.append(recall.n_parameters(recall.new_model(name, width, rng, recall.SETTINGS)))
    assert max(sizes) < 1.04 * min(sizes)


def test_overlap_of_orthogonal_keys_is_zero():
    settings = {**TINY, "values": 3}
    own = np.zeros((7, 4), np.float32)
    own[:4] = np.eye(4)  # W reads the key alone
    params = {"E_key": np.eye(4, dtype=np.float32), "E_value": np.zeros((4, 3), np.float32)}
    params |= {"W_q": own, "W_k": -own, "W_v": own}
    assert recall.inside("sum", params, settings) == {"overlap": 0.0}
