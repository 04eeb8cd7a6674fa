"""CycleGAN with tiny real networks: sizes, ways, cycles, what is hidden, limits, other people's files."""

import numpy as np
import pytest
import safetensors.torch
from PIL import Image

from gm_core import checkpoints
from gm_core.errors import BadInput, Cancelled, CheckpointError
from gm_core.tasks import cyclegan as module
from gm_core.tasks.cyclegan import again, cycle, cyclegan, hidden
from gm_core.translations import difference, directions, domains, error_map
from tests.hubs import olah, publish
from tests.records import put, standing_in
from tests.translation_records import community_files, community_record, tiny_records
from tests.visitor import visit


@pytest.fixture(autouse=True)
def records(tmp_path):
    with standing_in(tiny_records, tmp_path / "shipped"):
        yield


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
@pytest.mark.parametrize("size", [(16, 16), (37, 23), (96, 64)])
def test_every_size_keeps_its_size_and_comes_out_the_same_each_time(size, direction, photo):
    image = photo.resize(size)
    made = cyclegan(image, direction=direction)
    assert made.size == size and made.mode == "RGB" and difference(made, image) > 0.01
    assert np.array_equal(made, cyclegan(image, direction=direction))


def test_the_two_ways_differ(photo):
    assert difference(cyclegan(photo), cyclegan(photo, direction="BtoA")) > 0.01


def test_a_cycle_goes_through_the_translation_as_a_visitor_would_save_it(photo):
    found = cycle(photo, direction="BtoA")
    assert np.array_equal(found.translated, cyclegan(photo, direction="BtoA"))
    assert np.array_equal(found.back, cyclegan(found.translated, direction="AtoB"))
    assert found.error == pytest.approx(np.abs(np.asarray(photo, float) - np.asarray(found.back)).mean() / 127.5)
    assert np.array_equal(found.lost, error_map(photo, found.back))


def test_the_map_is_black_where_nothing_was_lost_and_white_where_much():
    x = Image.new("RGB", (4, 2), (100, 100, 100))
    y = x.copy()
    y.putpixel((3, 1), (180, 180, 180))
    y.putpixel((0, 0), (110, 110, 110))
    lost = error_map(x, y)
    assert lost.getpixel((2, 0)) == (0, 0, 0) and lost.getpixel((3, 1)) == (255, 255, 255)
    red, green, blue = lost.getpixel((0, 0))
    assert red > 0 and green == blue == 0


def test_again_and_again_keeps_every_cycle_and_its_distance(photo):
    seen = []
    found = again(photo, times=3, report=lambda fraction, words, preview=None: seen.append((fraction, preview)))
    assert len(found.pictures) == len(found.errors) == 4 and found.errors[0] == 0
    assert np.array_equal(found.pictures[1], cycle(photo).back) and found.errors[1] == pytest.approx(cycle(photo).error)
    assert [fraction for fraction, _ in seen[-3:]] == [0, pytest.approx(1 / 3), pytest.approx(2 / 3)]
    assert np.array_equal(seen[-1][1], found.pictures[2])


def test_what_is_hidden_is_shown_amplified_and_taken_away(photo):
    found = cycle(photo)
    shown = hidden(found)
    assert {picture.size for picture in (shown.amplified, shown.cleaned, shown.back)} == {photo.size}
    assert 100 < np.asarray(shown.amplified).mean() < 156, "around grey"
    assert 0 < difference(shown.cleaned, found.translated) < 0.2
    assert shown.error == pytest.approx(difference(photo, shown.back))
    even = module.Cycle(photo, Image.new("RGB", photo.size, (90, 90, 90)), photo, photo, 0.0)
    assert np.ptp(np.asarray(hidden(even).amplified)) == 0, "nothing is hidden in an even colour"


@pytest.mark.parametrize(("size", "words"), [((15, 90), "15 x 90"), ((1025, 20), "1025 x 20")])
@pytest.mark.parametrize("task", [cyclegan, cycle, again])
def test_sizes_out_of_the_limits_are_refused_with_the_size(task, size, words):
    with pytest.raises(BadInput, match=words):
        task(Image.new("RGB", size))


def test_nonsense_is_refused_in_a_sentence(photo):
    with pytest.raises(BadInput, match="AtoB or BtoA, not 'CtoD'"):
        cyclegan(photo, direction="CtoD")
    with pytest.raises(BadInput, match="does not translate"):
        cyclegan(photo, checkpoint="srgan-x4")
    with pytest.raises(CheckpointError, match="cyclegan-monet"):
        cyclegan(photo, checkpoint="no-such")
    with pytest.raises(BadInput, match="1 to 20 times, not 21"):
        again(photo, times=21)
    with pytest.raises(BadInput, match="not 96"):
        hidden(cycle(photo), quality=96)


def test_the_record_says_what_the_ways_are():
    assert domains("cyclegan-seasons") == ("summer", "winter")
    assert directions("cyclegan-monet") == {"AtoB": "photograph to painting by Monet",
                                            "BtoA": "painting by Monet to photograph"}


def test_who_leaves_is_not_translated_for(photo):
    def leave(fraction, words, preview=None):
        raise Cancelled("gone")

    cyclegan(photo)
    with pytest.raises(Cancelled):
        again(photo, report=leave)


@pytest.fixture(scope="module")
def from_the_hub(tmp_path_factory):
    hub, home = tmp_path_factory.mktemp("olah"), tmp_path_factory.mktemp("home")
    visits = {repo: {"repo_id": repo, "revision": publish(hub, repo, files), "build": "community:build"}
              for repo, files in community_files().items()}
    with olah(hub) as endpoint:
        return visit(endpoint, home, visits)


def test_files_in_the_field_s_layout_come_from_the_hub(from_the_hub):
    for repo, network in (("anyone/resnet", "ResnetGenerator"), ("anyone/unet", "UnetGenerator")):
        assert from_the_hub[repo].get("message") is None
        assert from_the_hub[repo]["network"] == network
        weights = safetensors.torch.load(community_files()[repo]["model.safetensors"])
        assert from_the_hub[repo]["weights"] == pytest.approx(sum(float(value.double().sum()) for value in weights.values()))


def test_a_file_that_lacks_a_key_is_refused_by_its_name(from_the_hub):
    assert from_the_hub["anyone/broken"]["error"] == "CheckpointError"
    assert "1 missing (model.10.conv_block.1.weight)" in from_the_hub["anyone/broken"]["message"]


@pytest.mark.parametrize("repo", ["anyone/resnet", "anyone/unet"])
def test_a_file_in_the_field_s_layout_knows_one_way(repo, photo, tmp_path):
    record = community_record(repo, community_files()[repo], tmp_path / "shipped")
    put((*checkpoints.CHECKPOINTS, record), tmp_path / "shipped")
    assert directions(record.name) == {"AtoB": "horse to zebra"}
    for image in (photo, photo.resize((33, 17))):
        assert cyclegan(image, checkpoint=record.name).size == image.size
    with pytest.raises(BadInput, match="no way back"):
        cycle(photo, checkpoint=record.name)
