"""Text to image: chance by seed, words watched, limits, previews; pipelines of the Hub through the same code."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from PIL import Image

from gm_core.checkpoints import CHECKPOINTS, Checkpoint
from gm_core.datasets.portraits import caption
from gm_core.errors import BadInput, Cancelled, CheckpointError
from gm_core.images import to_image
from gm_core.load import load
from gm_core.models.text_to_image import build, parts_of
from gm_core.recipes.world_denoiser import SCHEDULE, sampled, sampler
from gm_core.tasks.portraits import _person, portraits
from gm_core.tasks.text_to_image import (
    Settings,
    defaults,
    guidance_grid,
    one_for_each,
    overlaid,
    plan_drawn,
    reading,
    text_to_image,
    unknown_words,
    word_maps,
)
from tests.hubs import faulty, olah, publish
from tests.records import put, standing_in
from tests.text_to_image_records import ABOUT, CAPTIONS, NAME, SIDE, tiny_pipeline, tiny_record, write

ROOT = Path(__file__).resolve().parents[2]
BIRD = CAPTIONS[0]


@pytest.fixture(scope="module", autouse=True)
def tiny(tmp_path_factory):
    """A tiny pipeline in the place of the trained one, which also draws portraits."""
    def make(shipped):
        return (replace(tiny_record(shipped), also=("portraits",)),)

    with standing_in(make, tmp_path_factory.mktemp("checkpoints")):
        yield


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture).astype(int)


def test_the_seed_decides_and_a_picture_is_the_same_alone_and_among_others():
    three = text_to_image(BIRD, seed=5, pictures=3)
    assert [picture.size for picture in three] == [(SIDE, SIDE)] * 3
    again = text_to_image(BIRD, seed=5, pictures=3)
    assert all(np.array_equal(pixels(one), pixels(other)) for one, other in zip(three, again, strict=True))
    for i, picture in enumerate(three):
        [alone] = text_to_image(BIRD, seed=5 + i)
        assert np.abs(pixels(alone) - pixels(picture)).max() <= 1
    assert np.abs(pixels(three[0]) - pixels(three[1])).mean() > 1


def test_several_prompts_together_give_what_each_gives_alone():
    prompts, seeds = CAPTIONS[:3], [9, 4, 9]
    together = one_for_each(prompts, seeds, checkpoint=NAME)
    for prompt, seed, picture in zip(prompts, seeds, together, strict=True):
        [alone] = text_to_image(prompt, seed=seed, checkpoint=NAME)
        assert np.abs(pixels(alone) - pixels(picture)).max() <= 1
    assert np.abs(pixels(together[0]) - pixels(together[2])).max() > 1, "another prompt of the same seed"
    for words, own in ((prompts, [1, 2]), ([], []), ([BIRD] * 5, [1] * 5)):
        with pytest.raises(ValueError, match="1 to 4 prompts and a seed for each"):
            one_for_each(words, own, checkpoint=NAME)


def test_it_is_what_diffusers_own_pipeline_draws():
    pipeline = load(NAME).pipeline()
    generator = torch.Generator().manual_seed(3)
    theirs = pipeline(BIRD, num_inference_steps=4, guidance_scale=3.0, negative_prompt="a man", generator=generator).images[0]
    [ours] = text_to_image(BIRD, steps=4, guidance=3.0, negative_prompt="a man", seed=3)
    assert np.abs(pixels(ours) - pixels(theirs)).max() <= 1


@pytest.mark.parametrize(("steps", "rise"), [(4, 0.5), (5, 1.0), (3, 0.25)])
def test_guidance_that_rises_is_what_diffusers_draws_with_one_changed_after_each_step(steps, rise):
    rising = int(rise * steps)

    def scale(step):
        return 1 + 1e-6 + 2.0 * (min(1.0, step / rising) if rising else 1.0)

    def changed(pipeline, step, _, tensors):
        pipeline._guidance_scale = scale(step + 1)
        return tensors

    theirs = load(NAME).pipeline()(BIRD, num_inference_steps=steps, guidance_scale=scale(0), negative_prompt="a man",
                                   generator=torch.Generator().manual_seed(3), callback_on_step_end=changed).images[0]
    [ours] = text_to_image(BIRD, steps=steps, guidance=3.0, guidance_rise=rise, negative_prompt="a man", seed=3)
    assert np.abs(pixels(ours) - pixels(theirs)).max() <= 1


def test_what_the_recipes_measure_is_what_visitors_get():
    [measured] = sampled(load(NAME).pipeline(), [BIRD], 7)
    usual = next(record.config for record in CHECKPOINTS if record.name == "world-128")
    [shown] = text_to_image(BIRD, seed=7, **usual)
    assert np.abs(pixels(shown) - pixels(to_image(measured))).max() <= 1


def test_portraits_are_drawn_from_captions_of_people():
    made = portraits(2, seed=4, checkpoint=NAME)
    assert [picture.size for picture in made] == [(SIDE, SIDE)] * 2
    assert np.abs(pixels(made[0]) - pixels(portraits(1, seed=4, checkpoint=NAME)[0])).max() <= 1, "whatever n is"
    assert not np.array_equal(pixels(made[0]), pixels(portraits(1, seed=5, checkpoint=NAME)[0]))
    person = _person(4, 1)
    own = int(np.random.default_rng((4, 1, 1)).integers(2**31))
    assert np.array_equal(pixels(made[1]), pixels(text_to_image(caption(person, own), seed=own)[0]))


def test_every_setting_counts():
    base = pixels(text_to_image(BIRD, guidance=3.0)[0])
    for other in ({"steps": 3}, {"guidance": 8.0}, {"guidance_rise": 1.0}, {"negative_prompt": "A man with a beard."}):
        assert not np.array_equal(base, pixels(text_to_image(BIRD, **{"guidance": 3.0, **other})[0])), other
    assert not np.array_equal(base, pixels(text_to_image(CAPTIONS[1], guidance=3.0)[0]))


def test_what_is_left_out_is_what_suits_the_checkpoint():
    assert defaults(NAME) == Settings(4, 3.0, 0.0)
    assert np.array_equal(pixels(text_to_image(BIRD)[0]), pixels(text_to_image(BIRD, steps=4, guidance=3.0)[0]))


@pytest.mark.parametrize(("settings", "sentence"), [
    ({"prompt": ""}, "Say what shall be drawn"), ({"prompt": " \n"}, "Say what shall be drawn"),
    ({"prompt": "x" * 1001}, "1001 characters; up to 1000"), ({"negative_prompt": "x" * 1001}, "negative prompt has 1001"),
    ({"steps": 0}, "1 to 50; 0"), ({"steps": 51}, "1 to 50; 51"), ({"guidance": -0.5}, "0 to 15; -0.5"),
    ({"guidance": 15.5}, "0 to 15; 15.5"), ({"guidance": float("nan")}, "0 to 15; nan"), ({"seed": -1}, "seed"),
    ({"guidance_rise": -0.1}, "from 0 to 1; -0.1"), ({"guidance_rise": 1.5}, "from 0 to 1; 1.5"),
    ({"guidance_rise": float("nan")}, "from 0 to 1; nan"),
    ({"seed": 2**31}, "seed"), ({"pictures": 0}, "1 to 4 pictures"), ({"pictures": 5}, "1 to 4 pictures"),
    ({"checkpoint": "srgan-x4"}, "does not draw"),
])
def test_settings_out_of_their_limits_are_refused_with_the_value(settings, sentence):
    with pytest.raises(BadInput, match=sentence):
        text_to_image(**{"prompt": BIRD, **settings})


def test_an_unknown_checkpoint_is_named():
    with pytest.raises(CheckpointError, match="There is no checkpoint 'nothing'"):
        text_to_image(BIRD, checkpoint="nothing")


def test_progress_is_told_with_previews_and_cancel_stops_between_steps():
    told = []
    text_to_image(BIRD, steps=4, pictures=2,
                  report=lambda fraction, words, preview=None: told.append((fraction, words, preview)))
    steps = [words for _, words, _ in told if "step" in words]
    assert steps == [f"Drawing, step {i} of 4" for i in (1, 2, 3, 4)]
    previews = [preview for _, _, preview in told if preview is not None]
    assert previews and all(preview.width == 2 * preview.height for preview in previews), "both pictures, side by side"
    fractions = [fraction for fraction, _, _ in told if fraction is not None]
    assert fractions == sorted(fractions) and fractions[-1] == 1

    seen = []

    def leave(fraction, words, preview=None):
        seen.append(words)
        if "step 2" in words:
            raise Cancelled

    with pytest.raises(Cancelled):
        text_to_image(BIRD, steps=4, report=leave)
    assert seen[-1] == "Drawing, step 2 of 4"


def test_a_preview_shows_where_it_is_going_not_the_noise(monkeypatch):
    """In latents that end as they began, all previews are the end, though every step brings noise."""
    def previews_of(scheduler):
        network = load(NAME)
        monkeypatch.setattr(network, "scheduler", scheduler)
        monkeypatch.setattr(network.unet, "forward", lambda x, t, **_: SimpleNamespace(sample=-going_to(x, t)))
        monkeypatch.setattr("gm_core.tasks.text_to_image.PREVIEW_SHARE", 1e9)
        found = []
        [picture] = text_to_image(BIRD, steps=6, report=lambda fraction, words, preview=None: found.append(preview))
        small = [np.asarray(one.resize((8, 8), Image.Resampling.BOX)).astype(int) for one in found if one is not None]
        return small, np.asarray(picture.resize((8, 8), Image.Resampling.BOX)).astype(int)

    every = DDIMScheduler(**SCHEDULE).alphas_cumprod
    end = torch.randn(1, *load(NAME).latent_shape, generator=torch.Generator().manual_seed(1))

    def going_to(x, t):
        """-v of whoever knows that all will be `end`."""
        share = every[int(t)]
        noise = (x - share.sqrt() * end) / (1 - share).sqrt()
        return -(share.sqrt() * noise - (1 - share).sqrt() * end)

    for scheduler in (sampler(), DDIMScheduler(**SCHEDULE)):
        small, last = previews_of(scheduler)
        assert len(small) == 5
        assert all(np.abs(one - last).max() <= 3 for one in small)


def test_the_words_of_a_world_are_known_and_others_are_named():
    assert unknown_words("This small BLUE bird's car, a Car of 3 engines!") == ["car", "of", "engines"]
    assert unknown_words(BIRD) == []


def test_a_long_prompt_is_read_as_far_as_there_are_places():
    assert reading(BIRD) == BIRD
    long = " ".join([BIRD] * 8)
    heard = reading(long)
    assert long.startswith(heard) and len(BIRD) < len(heard) < len(long)
    assert heard[-1].isalpha(), "it ends with a word"


# --- where words act --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guidance", [0.0, 3.0])
def test_attention_maps_sum_to_one_over_the_tokens(guidance):
    found = word_maps(BIRD, seed=2, guidance=guidance)
    assert found.tokens.shape[1:] == (8, 8)
    assert np.allclose(found.tokens.sum(0), 1, atol=1e-4)
    assert found.tokens.min() >= 0
    assert found.words == tuple(BIRD.replace(".", "").split())
    assert found.maps.shape == (len(found.words), 8, 8)
    assert np.abs(found.maps - found.maps.mean((1, 2), keepdims=True)).max() > 0, "a map that is flat says nothing"


def test_watching_changes_neither_the_picture_nor_the_network():
    before = pixels(text_to_image(BIRD, seed=2)[0])
    processors = dict(load(NAME).unet.attn_processors)
    watched = pixels(word_maps(BIRD, seed=2).picture)
    assert np.abs(before - watched).max() <= 1
    assert load(NAME).unet.attn_processors == processors
    assert np.array_equal(before, pixels(text_to_image(BIRD, seed=2)[0]))


def test_the_map_of_a_word_is_the_sum_of_its_tokens():
    found = word_maps("bird zzyzx", seed=0)
    assert found.words == ("bird", "zzyzx")
    assert np.allclose(found.maps[0], found.tokens[1], atol=1e-6), "our words are one token each, after the begin token"
    assert found.maps[1].mean() > found.tokens[2].mean() > 0, "a word that was never met is spelled"


def test_of_a_prompt_that_is_too_long_only_words_that_were_read_have_maps():
    found = word_maps(" ".join([BIRD] * 8))
    assert 14 < len(found.words) < 8 * 14


def test_a_picture_is_lit_where_the_map_is_high():
    picture, where = Image.new("RGB", (64, 64), "red"), np.zeros((8, 8), np.float32)
    where[:, 4:] = 0.25
    seen = pixels(overlaid(picture, where))
    assert tuple(seen[32, 60]) == (255, 0, 0) and seen[32, 4].max() < 100
    assert pixels(overlaid(picture, np.ones((8, 8), np.float32))).shape == (64, 64, 3), "a flat map is no error"


def test_the_plan_is_what_the_denoiser_made_of_those_channels():
    found = word_maps(BIRD, seed=2)
    assert found.parts == ("wing or petal", "eye") and found.plan.shape == (2, 8, 8)
    assert 0 <= found.plan.min() < found.plan.max() <= 1
    network = load(NAME)
    latents = torch.zeros(1, 4, 8, 8)
    latents[0, 2, 0, :3] = torch.tensor([1.5, 0.75, -1.0])
    latents[0, 3, 7, 7] = 9.0
    shares = network.plan.shares(latents)[0]
    assert shares[0, 0, :4].tolist() == [1.0, 0.25, 0.0, 0.0] and shares[1, 7, 7] == 1.0 and shares.sum() == 2.25


def test_a_plan_is_drawn_as_a_mosaic():
    shares = np.zeros((2, 8, 8), np.float32)
    shares[0, 0, 0], shares[1, 0, 0], shares[1, 7, 7] = 1, 1, 1
    seen = pixels(plan_drawn(shares, (64, 32)))
    assert seen.shape == (32, 64, 3)
    brown, green, paper = (138, 90, 46), (79, 143, 74), (238, 236, 229)
    assert tuple(seen[31, 63]) == green and tuple(seen[0, 63]) == paper
    assert np.abs(seen[3, 7] - np.mean([brown, green], 0)).max() <= 1, "parts that claim one cell share it"


@pytest.mark.parametrize(("told", "sentence"), [
    ("not json", "cannot be read"), ("[]", "cannot be read"), ('{"first": 2}', "cannot be read"),
    ('{"first": 2, "parts": []}', "does not fit"),
    ('{"first": 3, "parts": [{"name": "a", "full": 1}, {"name": "b", "full": 1}]}', "does not fit"),
    ('{"first": 2, "parts": [{"name": "a", "full": 0}]}', "does not fit")])
def test_a_plan_that_does_not_fit_the_latents_is_refused(told, sentence, tmp_path):
    folder = write({**tiny_pipeline(), "plan.json": told.encode()}, tmp_path / "pipeline")
    with pytest.raises(CheckpointError, match=sentence):
        build(folder)


# --- a grid of settings -----------------------------------------------------------------------------------------------


def test_a_grid_has_the_pictures_of_its_settings():
    told = []
    rows = guidance_grid(BIRD, guidances=(1.0, 4.0), steps=(1, 2, 3), seed=9,
                         report=lambda fraction, words, preview=None: told.append(fraction))
    assert [len(row) for row in rows] == [3, 3]
    assert np.array_equal(pixels(rows[1][2]), pixels(text_to_image(BIRD, guidance=4.0, steps=3, seed=9)[0]))
    fractions = [fraction for fraction in told if fraction is not None]
    assert fractions == sorted(fractions) and fractions[-1] == pytest.approx(1)


@pytest.mark.parametrize(("guidances", "steps", "sentence"), [
    ((1.0,) * 6, (1,) * 5, "1 to 25 pictures; this one would have 30"), ((), (1,), "would have 0"),
    ((1.0, 2.0, 3.0, 4.0, 5.0), (41,), "takes 205 steps; up to 200"), ((1.0, 20.0), (2,), "0 to 15; 20"),
])
def test_grids_out_of_the_limits_are_refused_before_anything_is_drawn(guidances, steps, sentence):
    with pytest.raises(BadInput, match=sentence):
        guidance_grid(BIRD, guidances=guidances, steps=steps, report=lambda *_: pytest.fail("it has begun"))


# --- files ------------------------------------------------------------------------------------------------------------


def spoiled(spoil) -> dict[str, bytes]:
    files = tiny_pipeline()
    spoil(files)
    return files


def change_index(**entries: object):
    def change(files: dict[str, bytes]) -> None:
        files["model_index.json"] = json.dumps({**json.loads(files["model_index.json"]), **entries}).encode()

    return change


def drop_a_weight(files: dict[str, bytes]) -> None:
    from safetensors.torch import load as read
    from safetensors.torch import save

    name = "unet/diffusion_pytorch_model.safetensors"
    state = read(files[name])
    del state["conv_in.weight"]
    files[name] = save(state, {"format": "pt"})


@pytest.mark.parametrize(("spoil", "sentence"), [
    (change_index(_class_name="StableDiffusionXLPipeline"), "is a StableDiffusionXLPipeline; here a StableDiffusionPipeline"),
    (change_index(unet=["diffusers", "SomethingElse"]), "unet of This pipeline is a SomethingElse"),
    (change_index(scheduler=["diffusers", "StableDiffusionPipeline"]), "not one of diffusers"),
    (change_index(scheduler=["our_code", "OurScheduler"]), "not one of diffusers"),
    (drop_a_weight, "unet do not fit.*conv_in.weight"),
    (lambda files: files.pop("vae/diffusion_pytorch_model.safetensors"), "vae is not there as safetensors"),
], ids=["pipeline", "network", "scheduler", "code", "weights", "no safetensors"])
def test_what_does_not_fit_is_refused_by_name(tmp_path, spoil, sentence):
    with pytest.raises(CheckpointError, match=sentence):
        build(write(spoiled(spoil), tmp_path))


def test_half_precision_becomes_float32_and_every_request_has_a_schedule_of_its_own(tmp_path):
    network = build(write(tiny_pipeline(variant="fp16"), tmp_path))
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    one, other = network.pipeline(), network.pipeline()
    assert one.unet is other.unet and one.scheduler is not other.scheduler


def test_the_parts_that_are_loaded_are_read_from_the_index():
    index = json.loads(tiny_pipeline(checker=1.0)["model_index.json"])
    assert parts_of(index, "x")["safety_checker"] == "StableDiffusionSafetyChecker"
    assert "image_encoder" not in parts_of(index, "x")


# --- the Hub ----------------------------------------------------------------------------------------------------------


def call(settings: dict[str, Any]) -> dict[str, Any]:
    """One call of the task, in the process that knows the Hub: what came of it."""
    from gm_core.errors import GMError
    from gm_core.tasks import text_to_image as module

    reports: list[tuple[str, bool]] = []

    def report(fraction: float | None, words: str, preview: object = None) -> None:
        reports.append((words, preview is not None))

    try:
        if settings.pop("watch", False):
            found = module.word_maps("a blue bird", report=report, **settings)
            return {"sums": [float(found.tokens.sum(0).min()), float(found.tokens.sum(0).max())], "words": found.words}
        made = module.text_to_image("a blue bird", report=report, **settings)
    except GMError as error:
        return {"error": type(error).__name__, "message": str(error), "reports": reports}
    return {"size": made[0].size, "sum": int(sum(pixels(picture).sum() for picture in made)), "reports": reports,
            "withheld": [bool(picture.info.get("withheld")) for picture in made]}


def visit(endpoint: str, home: Path, records: list[dict[str, Any]], calls: dict[str, dict[str, Any]],
          **environment: str) -> dict[str, Any]:
    told = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1",
            "OMP_NUM_THREADS": "1", "GM_HUB_ALLOW": "another/one, team/*", **environment}
    process = subprocess.run([sys.executable, "-m", "tests.tasks.test_text_to_image"], cwd=ROOT, text=True,
                             input=json.dumps([records, calls]), capture_output=True, env={**os.environ, **told}, timeout=540,
                             check=False)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> dict[str, Any]:
    """What came of calls while the Hub was there, and (keys ending in " later") after it had gone, from the same cache."""
    hub, home = tmp_path_factory.mktemp("olah"), tmp_path_factory.mktemp("home")
    whole = tiny_pipeline("AutoencoderKL", variant="fp16")
    contents = {
        "whole": whole,
        "checked": tiny_pipeline("AutoencoderKL", checker=1.0), "strict": tiny_pipeline("AutoencoderKL", checker=-1.0),
        "pickled": {**{name: content for name, content in tiny_pipeline().items() if not name.startswith("unet/diff")},
                    "unet/diffusion_pytorch_model.bin": b"\x80\x02" + bytes(500)},
        "other": spoiled(change_index(_class_name="KandinskyPipeline")),
    }
    at = {name: publish(hub, f"team/{name}", files) for name, files in contents.items()}
    records = [{"name": "from-the-table", "title": "Whole", "files": tuple(whole), "repo_id": "team/whole",
                "revision": at["whole"], "config": {"steps": 1, "guidance": 0.0}}]
    named = {name: {"checkpoint": f"team/{name}@{commit}", "steps": 2} for name, commit in at.items()}
    calls = {"table": {"checkpoint": "from-the-table"}, **named,
             "again": dict(named["whole"]), "watched": {**named["whole"], "watch": True},
             "branch": {"checkpoint": "team/whole@main"},
             "not allowed": {"checkpoint": f"others/whole@{at['whole']}"}}
    with olah(hub) as endpoint:
        found = visit(endpoint, home, records, calls)
    found |= visit(endpoint, home, records, {"table later": {"checkpoint": "from-the-table"}, "whole later": named["whole"],
                                             "unseen later": {"checkpoint": f"team/unseen@{at['whole']}"}})
    with faulty({}) as (endpoint, _):
        found |= visit(endpoint, home, records, {name: {"checkpoint": f"anyone/{name}@{'1' * 40}"}
                                                 for name in ("gated", "no-revision")}, GM_HUB_ALLOW="*")
    return found


def test_a_pipeline_of_the_hub_draws_with_its_own_settings(outcomes):
    assert outcomes["table"]["size"] == [SIDE, SIDE]
    words = [said for said, _ in outcomes["table"]["reports"]]
    assert any(said.startswith("Downloading Whole") for said in words)
    assert [said for said in words if "step" in said] == ["Drawing, step 1 of 1"]


def test_one_that_the_operator_allows_draws_by_repository_and_commit(outcomes):
    assert outcomes["whole"]["size"] == [SIDE, SIDE]
    assert outcomes["whole"]["sum"] == outcomes["again"]["sum"]
    assert any(preview for _, preview in outcomes["whole"]["reports"]), "colours of the latents, where decoding is dear"
    assert outcomes["watched"]["sums"] == pytest.approx([1, 1], abs=1e-4)
    assert outcomes["watched"]["words"] == ["a", "blue", "bird"]


def test_what_was_fetched_once_needs_no_hub(outcomes):
    for name in ("table", "whole"):
        assert outcomes[f"{name} later"]["sum"] == outcomes[name]["sum"]
    assert "the Hub cannot be reached" in outcomes["unseen later"]["message"]


def test_the_safety_checker_of_a_checkpoint_is_on(outcomes):
    assert outcomes["checked"]["withheld"] == [False] and outcomes["checked"]["sum"] > 0
    assert outcomes["strict"]["withheld"] == [True] and outcomes["strict"]["sum"] == 0


@pytest.mark.parametrize(("name", "error", "sentence"), [
    ("pickled", "CheckpointError", "no safetensors of its unet at this commit"),
    ("other", "CheckpointError", "is a KandinskyPipeline; here a StableDiffusionPipeline"),
    ("branch", "CheckpointError", "There is no checkpoint 'team/whole@main'"),
    ("not allowed", "BadInput", "others/whole is not among the repositories"),
    ("gated", "Unavailable", "is gated: accept its licence"),
    ("no-revision", "Unavailable", "has no commit 11111111 any more"),
])
def test_what_cannot_be_gets_a_sentence(outcomes, name, error, sentence):
    assert outcomes[name]["error"] == error and sentence in outcomes[name]["message"]


def test_without_the_operators_leave_nothing_is_asked_of_the_hub(monkeypatch):
    monkeypatch.setenv("GM_HUB_ALLOW", "")
    with pytest.raises(BadInput, match="GM_HUB_ALLOW"):
        text_to_image(BIRD, checkpoint=f"team/whole@{'0' * 40}")


def main() -> None:
    records, calls = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as scratch:
        put(tuple(Checkpoint(**{**ABOUT, **record, "files": tuple(record["files"])}) for record in records), Path(scratch))
        sys.stdout.write(json.dumps({name: call(settings) for name, settings in calls.items()}))


if __name__ == "__main__":
    main()
