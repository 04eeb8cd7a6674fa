"""Holes: their shares, their kinds, reproducible."""

import numpy as np
import pytest

from gm_core.datasets.masks import KINDS, SHARES, random_mask


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(64, 64), (48, 96), (256, 256)])
def test_every_kind_covers_what_was_asked_for(kind, size):
    random = np.random.default_rng(0)
    for _ in range(20):
        mask = random_mask(random, *size, least=0.2, most=0.4, kind=kind)
        assert mask.shape == size and mask.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 1}
        assert 0.2 <= mask.mean() <= 0.4


def test_the_same_seed_draws_the_same_and_another_seed_another():
    one, same, other = ([random_mask(random, 64, 64) for _ in range(5)] for random in map(np.random.default_rng, (1, 1, 2)))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_borders_touch_the_border_and_leave_the_middle():
    random = np.random.default_rng(0)
    for _ in range(20):
        mask = KINDS["borders"](random, 60, 80)
        assert mask[30, 40] == 0 or mask.mean() > 0.3
        assert max(mask[0].min(), mask[-1].min(), mask[:, 0].min(), mask[:, -1].min()) == 1


def test_the_shares_are_of_kinds_that_there_are_and_sum_to_one():
    assert SHARES.keys() == KINDS.keys()
    assert sum(SHARES.values()) == pytest.approx(1)


def test_where_no_drawing_fits_a_box_does():
    mask = random_mask(np.random.default_rng(0), 64, 64, least=0.5, most=0.5001)
    assert mask.mean() == pytest.approx(0.5, abs=0.02)
