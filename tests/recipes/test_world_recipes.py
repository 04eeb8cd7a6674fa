"""The recipes of world-128 for a few steps on pictures of noise: they learn, stop, go on with more words, and ship."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from gm_core.datasets import portraits, world
from gm_core.models.attribute_judge import AttributeJudge
from gm_core.models.squeezenet import SqueezeNet
from gm_core.models.text_to_image import build
from gm_core.recipes import common as common_recipe
from gm_core.recipes import world_attributes, world_autoencoder, world_denoiser, world_judge, world_polish, world_reader
from gm_core.recipes.world_denoiser import QUIET, captions_of, widened
from gm_core.recipes.world_plan import (
    BITS,
    COLOURS,
    EQUAL,
    EVEN,
    MARKS,
    MOST,
    PARTS,
    PLAN,
    TURNS,
    bits_of,
    evened,
    label_maps,
    marks_in,
    plans,
    plans_of,
    small_parts,
    turns_of,
)
from gm_core.recipes.world_reader import learn_words, spelled, words_of
from tests.recipes.running import run, state_of

COUNT = 100


def written(folder, records, done=COUNT, seed=0):
    """A world of smooth noise, as the data sets write theirs; only `done` pictures are there yet."""
    random = np.random.default_rng(seed)
    folder.mkdir()
    small = random.integers(0, 256, (COUNT, 8, 8, 3)).astype(np.uint8)
    pictures = np.stack([np.asarray(Image.fromarray(one).resize((128, 128), Image.Resampling.BICUBIC)) for one in small])
    np.save(folder / "pictures.npy", pictures)
    labels = random.integers(0, len(portraits.LABELS), (COUNT, 8, 8)).astype(np.uint8)
    np.save(folder / "labels.npy", labels.repeat(16, 1).repeat(16, 2))
    (folder / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records[:done]))
    (folder / "state.json").write_text(json.dumps({"count": COUNT, "start": 0, "side": 128, "done": done}))
    return folder


@pytest.fixture
def people(tmp_path):
    return written(tmp_path / "people", [portraits.sample(seed).to_dict() for seed in range(COUNT)])


@pytest.fixture
def birds(tmp_path):
    captions = ["A blue bird with a short beak.", "This flower has violet petals."]
    records = [world.sample_of("birds", seed) for seed in range(COUNT)]
    return written(tmp_path / "birds", [{"family": "birds", "record": one.to_dict(), "named": world.named(one),
                                         "captions": captions} for one in records], seed=1)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Networks and steps that take no time."""
    for key, value in {"decoder_block_out_channels": (8,) * 4, "num_decoder_blocks": (1, 1, 0, 0)}.items():
        monkeypatch.setitem(world_autoencoder.CONFIG, key, value)
    for key, value in {"block_out_channels": (8, 16), "norm_num_groups": 4, "attention_head_dim": 2,
                       "addition_embed_type_num_heads": 2,
                       "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
                       "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D")}.items():
        monkeypatch.setitem(world_denoiser.UNET, key, value)
    for key, value in {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
                       "projection_dim": 16}.items():
        monkeypatch.setitem(world_reader.TEXT, key, value)
    monkeypatch.setattr(world_denoiser, "BATCH", 4)
    monkeypatch.setattr(world_reader, "LEARNT_FROM", 500)
    monkeypatch.setattr(world_reader, "BATCH", 4)
    monkeypatch.setattr(world_denoiser, "STEPS", 2)
    monkeypatch.setattr(world_polish, "POOLS", (8, 4))
    monkeypatch.setattr(world_polish, "WHOLE", 4)
    monkeypatch.setattr(world_polish, "DEEPEST", 3)


@pytest.mark.slow
def test_from_pictures_to_a_pipeline_that_ships(people, birds, tmp_path, monkeypatch):
    monkeypatch.setattr(world_denoiser, "CHECKPOINTS", tmp_path / "shipped")
    (tmp_path / "data" / "weights").mkdir(parents=True)
    torch.manual_seed(0)
    save_file(SqueezeNet().state_dict(), tmp_path / "data" / "weights" / "squeezenet1_0_imagenet.safetensors")
    first = ("--world", people, "--data", tmp_path / "data", "--run", tmp_path / "ae")
    run(world_autoencoder, *first, "--minutes", 0.01, "--adversarial-minutes", 0)
    plain = state_of(tmp_path / "ae")
    run(world_autoencoder, *first, "--minutes", 0.01, "--adversarial-minutes", 0.01)
    judged = state_of(tmp_path / "ae")
    assert judged["step"] > plain["step"] >= 1 and judged["worked"] == plain["worked"] and judged["judged"] > 0
    encoder = [key for key in plain["network"] if key.startswith("encoder.")]
    assert all(torch.equal(judged["network"][key], plain["network"][key]) for key in encoder), "the code never changes"
    assert any(not torch.equal(judged["network"][key], plain["network"][key])
               for key in plain["network"] if key.startswith("decoder."))
    written_down = json.loads((tmp_path / "ae" / "autoencoder" / "config.json").read_text())
    assert written_down["scaling_factor"] == judged["scaling"] > 1
    run(world_autoencoder, *first, "--evaluate")
    table = json.loads((tmp_path / "ae" / "evaluation.json").read_text())
    assert table["worlds"]["people"]["pictures"] == COUNT // 50
    assert 0 < table["worlds"]["people"]["psnr"] < 60

    of_reader = ("--run", tmp_path / "reader")
    run(world_reader, *of_reader, "--minutes", 0.01)
    begun = state_of(tmp_path / "reader")
    run(world_reader, *of_reader, "--minutes", begun["worked"] / 60 + 0.01)
    reader = state_of(tmp_path / "reader")
    assert reader["step"] > begun["step"] >= 1

    of_denoiser = ("--autoencoder", tmp_path / "ae" / "autoencoder", "--reader", tmp_path / "reader",
                   "--run", tmp_path / "denoiser")
    run(world_denoiser, "--world", people, *of_denoiser, "--minutes", 0.01)
    before = state_of(tmp_path / "denoiser")
    for key, known in (("text.embeddings.token_embedding.weight",) * 2, ("text.final_layer_norm.weight",) * 2,
                       ("unet.add_embedding.proj.weight", "pooled.proj.weight")):
        moved = (before["denoiser"][key] - reader["average"][known]).abs().max()
        assert 0 < moved < 0.05, "it begins with what the reader knows, and learns on"
    run(world_denoiser, "--world", people, birds, *of_denoiser, "--minutes", before["worked"] / 60 + 0.01)
    after = state_of(tmp_path / "denoiser")
    assert after["step"] > before["step"] >= 1
    assert {"bird", "petals"} <= set(after["words"]) and set(before["words"]) < set(after["words"])
    assert not {"bird", "petals"} & set(before["words"])
    assert len(list((tmp_path / "denoiser").glob("sheet-*.webp"))) >= 1
    assert len(list((tmp_path / "denoiser").glob("latents-*.npy"))) == 2
    monkeypatch.setitem(world_judge.CONFIG, "widths", [4, 4, 4, 4])
    (tmp_path / "teacher").mkdir()
    save_file(AttributeJudge(**world_judge.CONFIG).state_dict(), tmp_path / "teacher" / "model.safetensors")
    polish = ("--world", people, birds, "--data", tmp_path / "data", "--autoencoder", tmp_path / "ae" / "autoencoder",
              "--denoiser", tmp_path / "denoiser", "--teacher", tmp_path / "teacher", "--run", tmp_path / "polish")
    run(world_polish, *polish, "--minutes", 0.01)
    begun = state_of(tmp_path / "polish")
    run(world_polish, *polish, "--minutes", begun["worked"] / 60 + 0.01)
    polished = load_file(tmp_path / "polish" / "autoencoder" / "diffusion_pytorch_model.safetensors")
    rough = world_polish.grown(widened(world_denoiser.opened(tmp_path / "ae" / "autoencoder"))).state_dict()
    assert state_of(tmp_path / "polish")["step"] > begun["step"] >= 1
    assert {key.split(".")[0] for key in rough if not torch.equal(rough[key], polished[key])} == {"decoder"}

    run(world_denoiser, "--world", people, birds, *of_denoiser, "--autoencoder", tmp_path / "polish" / "autoencoder", "--ship")
    shipped = tmp_path / "shipped" / "world-128"
    network = build(shipped)
    assert network.latent_shape == (16 + PLAN, 16, 16)
    vae = load_file(shipped / "vae" / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(vae[key], value.half()) for key, value in polished.items())
    assert {"bird", "petals"} <= set(json.loads((shipped / "words.json").read_text()))
    assert network.plan.first == 16 and network.plan.parts[3] == "crown or hair" and len(network.plan.parts) == len(PARTS)
    for file in shipped.glob("*/*.safetensors"):
        with safe_open(file, "pt") as opened:
            assert opened.metadata()["recipe"] == "gm_core.recipes.world_denoiser"
            assert {opened.get_slice(key).get_dtype() for key in opened.keys()} == {"F16"}  # noqa: SIM118
    made = network.pipeline()("A blue bird.", num_inference_steps=2, output_type="np").images
    assert made.shape == (1, 128, 128, 3)

    run(world_denoiser, "--world", people, "--begin", shipped, "--autoencoder", shipped / "vae", "--run", tmp_path / "again",
        "--minutes", round(after["worked"] / 60) + 0.01)
    again = state_of(tmp_path / "again")
    with monkeypatch.context() as grown:
        grown.setitem(world_denoiser.UNET, "up_block_types", ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"))
        wider = world_denoiser.Denoiser().eval()
        assert world_denoiser.begin_with(wider, shipped)[2] == after["step"]
        x, words = torch.randn(1, 16 + PLAN, 16, 16), torch.randn(1, 4, 16)
        assert torch.allclose(wider.unet(x, 500, encoder_hidden_states=words).sample,
                              network.unet(x, 500, encoder_hidden_states=words).sample, atol=1e-4)
    monkeypatch.setitem(world_denoiser.UNET, "down_block_types", ("DownBlock2D", "DownBlock2D"))
    with pytest.raises(SystemExit, match="another network"):
        world_denoiser.begin_with(world_denoiser.Denoiser(), shipped)
    assert again["step"] > after["step"] and again["seen"] > after["seen"] and again["words"] == after["words"]
    for key, value in again["average"].items():
        assert value.dtype == torch.float32 and (value - after["average"][key]).abs().max() < 0.05, key


def test_a_world_that_is_still_being_written_is_read_as_far_as_it_is(tmp_path):
    folder = written(tmp_path / "people", [portraits.sample(seed).to_dict() for seed in range(60)], done=60)
    half = world_autoencoder.WorldFolder(folder)
    assert half.done == 60 and list(half.held_out) == [49] and len(half.train) == 59 and 49 not in half.train
    captions = captions_of(folder, half.done)
    assert len(captions) == 60 and all(len(set(of_one)) > 1 for of_one in captions)
    assert captions[3][0] == portraits.caption(portraits.sample(3), 0)


def test_label_maps_of_every_world_count_alike(people, birds):
    alone = np.load(people / "labels.npy")[2:9]
    seen = label_maps(people, 2, 9)
    assert seen.shape == (7, 128, 128) and seen.dtype == np.uint8
    assert np.array_equal(seen == world.LABELS.index("portrait: hair"), alone == portraits.LABELS.index("hair"))
    assert np.array_equal(seen == 0, alone == 0)
    assert np.array_equal(label_maps(birds, 2, 9), np.load(birds / "labels.npy")[2:9])


def test_a_plan_says_how_much_of_each_cell_a_part_fills(people, birds):
    for folder in (people, birds):
        maps, found = label_maps(folder, 0, 10), plans_of(folder, 10).float().numpy()
        assert found.shape == (10, PLAN, 16, 16) and found.any()
        for channel, (full, parts) in enumerate(PARTS):
            there = np.isin(maps, [world.LABELS.index(part) for part in parts])
            shares = there.reshape(10, 16, 8, 16, 8).mean((2, 4))
            assert np.allclose(found[:, channel], full * shares**0.5, rtol=1e-3)
    for family in ("bird", "flower", "portrait"):
        parts = [part for _, of_channel in PARTS for part in of_channel if part.startswith(family)]
        assert sorted(parts) == sorted(label for label in world.LABELS if label.startswith(family)), "each in a channel"
    assert all(len({part.split(":")[0] for part in of_channel}) == len(of_channel) for _, of_channel in PARTS)


def test_plans_are_kept_and_only_added_to(people):
    few = plans_of(people, 10)
    file = next(people.glob("plans-*.npy"))
    np.save(file, np.where(np.arange(10)[:, None, None, None] == 3, 7, few.numpy()).astype(np.float16))
    (people / "plans-older.npy").write_bytes(b"")
    more = plans_of(people, 20)
    assert (more[3] == 7).all() and torch.equal(more[4:10], few[4:]) and more[10:].any() and len(more) == 20
    assert list(people.glob("plans-*.npy")) == [file]


def test_birds_are_turned_where_they_look_and_nobody_else_is(people, birds):
    assert turns_of(people, 5) == [(0.0,) * TURNS] * 5
    found = turns_of(birds, COUNT)
    assert len(found) == COUNT and {-1.0, 1.0} <= {body for body, _ in found}
    assert all(-1 <= turn <= 1 for turns in found for turn in turns)
    clear = [i for i, (body, head) in enumerate(found) if abs(body) == abs(head) == 1 and body == head][:8]
    for i, labels in zip(clear, world.render([world.sample_of("birds", i) for i in clear]).labels, strict=True):
        beak, body = (np.nonzero(labels == world.LABELS.index(f"bird: {part}"))[1].mean() for part in ("beak", "body"))
        assert np.sign(beak - body) == found[i][0], "positive to the picture's right"


def test_a_plan_says_the_colour_and_the_kind_of_a_cell_s_rarest_part():
    labels, picture = np.zeros((1, 16, 16), np.uint8), np.full((1, 16, 16, 3), 127, np.uint8)
    labels[0, :8] = world.LABELS.index("bird: body")
    labels[0, 2:5, 2:5] = world.LABELS.index("bird: beak")  # 9 pixels of 64
    labels[0, 8, 8:10] = world.LABELS.index("bird: beak")  # a trace, in a cell of nothing else
    picture[labels == world.LABELS.index("bird: beak")] = 255, 0, 0
    picture[labels == world.LABELS.index("bird: body")] = 255, 255, 255
    named = {"kind": "bird", "shape": "slender", "size": "large", "beak_shape": "hooked", "beak_length": "short"}
    found = plans(labels, picture, [named], [(-1.0, 0.5)]).float()[0]
    beak, body = PARTS[8][0] / 2, PARTS[0][0] / 2
    paint, bits, turned = found[len(PARTS) : -BITS], found[-BITS:-TURNS], found[-TURNS:]
    assert len(paint) == COLOURS
    for y, x in ((0, 0), (1, 1)):
        assert torch.allclose(paint[:, y, x] / beak, torch.tensor([-1 / 3, 2.0, 1.0]), atol=2e-3), "red"
        assert (bits[:, y, x] / beak).tolist() == pytest.approx(bits_of("bird: beak", named)[:-TURNS], abs=1e-3)
        assert (turned[:, y, x] / beak).tolist() == pytest.approx([-1.0, 0.5], abs=1e-3)
    assert torch.allclose(paint[:, 0, 1] / body, torch.tensor([1.0, 0.0, 0.0]), atol=2e-3), "white"
    assert (bits[:, 0, 1] / body).tolist() == pytest.approx(bits_of("bird: body", named)[:-TURNS], abs=1e-3)
    assert (turned[:, 0, 1] / body).tolist() == pytest.approx([-1.0, 0.5], abs=1e-3)
    assert not found[:, 1, 0].any(), "nothing is there"
    weights = evened(found[None])[0]
    assert (weights[: len(PARTS)] == 1).all() and (weights[len(PARTS) :] == weights[-1]).all()
    assert weights[-1].tolist() == [[EVEN / 2, pytest.approx(MOST * (EQUAL / PARTS[0][0]) ** 2)], [1, EVEN / 2]], \
        "two cells of a beak count as much as many, and a body's quiet ones too"
    assert small_parts(found[None])[0, 0, 0, 0] > 0 == small_parts(found[None])[0, 0, 0, 1]


def test_the_marks_of_a_plan_are_read_again():
    kinds = ("bird", "flower", "portrait")
    named = [world.named(world.sample_of(f"{kind}s", seed)) for kind in kinds for seed in range(4)]
    labels = np.zeros((12, 128, 128), np.uint8)
    for i, one in enumerate(named):
        for k, part in enumerate(part for part in MARKS if part.startswith(one["kind"])):
            labels[i, 16 * (k // 4) :, 32 * (k % 4) :][:16, :32] = world.LABELS.index(part)
    turns = [(1.0, -1.0)] * len(named)
    found = plans(labels, np.full((12, 128, 128, 3), 90, np.uint8), named, turns).float()
    assert found[:4, -TURNS:].any(), "which says nothing of the marks"
    found = marks_in(found, [one["kind"] for one in named])
    for i, (one, wanted) in enumerate(zip(named, world_attributes.targets(named), strict=True)):
        told = {"kind"} | {name for part, names in MARKS.items() if part.startswith(one["kind"]) for name in names}
        known = torch.tensor([name in told for name in world.ATTRIBUTES])
        assert torch.equal(found[i], torch.where(known, wanted, -1)), one
    nothing = marks_in(torch.zeros(1, PLAN, 16, 16), ["bird"])
    assert nothing[0, 0] == 0 and (nothing[0, 1:] == -1).all()


def test_every_value_has_its_own_marks():
    for part, names in MARKS.items():
        assert part in world.LABELS
        for name in names:
            told = [bits_of(part, {name: value}) for value in world.ATTRIBUTES[name]]
            assert len({tuple(one) for one in told}) == len(told) and {len(one) for one in told} == {BITS}
        every = bits_of(part, {name: world.ATTRIBUTES[name][0] for name in names})
        assert set(every) <= {-1.0, 0.0} and every.count(-1.0) == max(
            sum(bit != 0 for one in names for bit in bits_of(part, {one: world.ATTRIBUTES[one][0]})), 0), "no bit is shared"
        assert not part.startswith("bird") or set(every[-TURNS:]) == {0.0}, "those are of where it is turned"


def test_a_wider_autoencoder_is_quieter_and_does_not_look_at_the_plan():
    torch.manual_seed(0)
    narrow = world_autoencoder.AutoencoderTiny(**world_autoencoder.CONFIG, scaling_factor=1.5)
    wide = widened(narrow)
    assert widened(wide) is wide and wide.config["scaling_factor"] == 1.5
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        z, wider = narrow.encode(x).latents, wide.encode(x).latents
        assert torch.allclose(wider[:, :16] * QUIET, z, atol=1e-5)
        assert wider.shape == (2, 16 + PLAN, 8, 8) and not wider[:, 16:].any()
        painted = wide.decode(wider).sample
        known = narrow.decode(z).sample
        assert (painted - known).abs().max() < 0.05 * known.std(), "but for the class's soft clamp, which quiet ones feel less"
        wider[:, 16:] = torch.randn(2, PLAN, 8, 8)
        assert torch.allclose(wide.decode(wider).sample, painted, atol=1e-5)


def test_a_decoder_that_grew_answers_as_before():
    torch.manual_seed(0)
    config = {**world_autoencoder.CONFIG, "num_decoder_blocks": (2, 1, 1, 0), "latent_channels": 16 + PLAN}
    narrow = world_autoencoder.AutoencoderTiny(**config, scaling_factor=1.5)
    wide = world_polish.grown(narrow)
    assert world_polish.grown(wide) is wide and wide.config["scaling_factor"] == 1.5
    x, z = torch.rand(2, 3, 64, 64) * 2 - 1, torch.randn(2, 16 + PLAN, 8, 8)
    with torch.no_grad():
        assert torch.equal(wide.encode(x).latents, narrow.encode(x).latents)
        assert torch.allclose(wide.decode(z).sample, narrow.decode(z).sample, atol=1e-5)
    assert sum(value.numel() for value in wide.decoder.parameters()) > sum(v.numel() for v in narrow.decoder.parameters())
    wide.decoder.requires_grad_(True)
    wide.decode(z).sample.square().mean().backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in wide.decoder.parameters())
    assert wide.decoder.layers[0].weight.grad[:, 16:].any(), "it can learn to look at the plan"


def test_a_reader_learns_to_tell_the_record_from_the_caption(monkeypatch):
    monkeypatch.setattr(world_reader, "BATCH", 32)
    torch.manual_seed(0)
    tokenizer = learn_words(sorted(world.VOCABULARY))
    reader = world_reader.Reader()
    tokens, wanted = world_reader.lesson(tokenizer, range(32))
    before = world_reader.measure(reader, tokenizer, 8)
    optimizer = torch.optim.Adam(reader.parameters(), 1e-2)
    losses = []
    for _ in range(60):
        loss = torch.stack([world_attributes.loss_of(answers, wanted) for answers in reader(tokens)]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    after = world_reader.measure(reader, tokenizer, 8)
    assert before.keys() == after.keys() == {"seen", "held out"}
    for by_queries_or_pooled in range(2):  # other captions profit: birds are birds
        assert before["seen"][by_queries_or_pooled] < after["seen"][by_queries_or_pooled] <= 1


@pytest.mark.parametrize("strides", [3, 20])
def test_what_is_denoised_again_is_what_diffusers_own_schedule_makes_of_it(strides, monkeypatch):
    monkeypatch.setattr(common_recipe, "HALF", False)  # twenty looks in bfloat16 end somewhere else
    torch.manual_seed(0)
    denoiser = world_denoiser.Denoiser().eval()
    z, noise = torch.randn(2, 1, world_denoiser.CHANNELS, 16, 16)
    said, nothing = torch.randint(2, 200, (1, world_reader.TOKENS)), torch.ones(1, world_reader.TOKENS, dtype=torch.long)
    torch.manual_seed(1)
    ours = world_polish.regenerated(denoiser, z, said, nothing, strides, noise)
    schedule = world_denoiser.DDIMScheduler(**world_denoiser.SCHEDULE)
    schedule.set_timesteps(20)
    times = schedule.timesteps[-strides:]
    assert times.tolist()[-3:] == [149, 99, 49]
    x = schedule.add_noise(z, noise, times[:1])
    torch.manual_seed(1)
    with torch.no_grad():
        words = denoiser.text(torch.cat([nothing, said])).last_hidden_state
        for i, time_ in enumerate(times, 20 - strides):
            scale = 1 + (world_denoiser.GUIDANCE - 1) * min(1, i / 5)  # all of it after a quarter of the steps
            of_nothing, of_words = denoiser.unet(torch.cat([x, x]), time_, encoder_hidden_states=words).sample.chunk(2)
            guided = of_nothing + scale * (of_words - of_nothing)
            x = schedule.step(guided, time_, x, eta=1.0, variance_noise=torch.randn_like(x)).prev_sample
    assert (ours - x).abs().max() < 1e-3 * x.std()
    held = world_polish.regenerated(denoiser, z, said, nothing, 3, noise, planned=True)
    assert torch.allclose(held[:, 16:], z[:, 16:], atol=1e-5) and not torch.allclose(held[:, :16], z[:, :16], atol=0.1)


def test_without_a_reader_there_is_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no text encoder"):
        world_reader.read(tmp_path / "nobody")


def test_the_encoder_is_the_best_linear_code_half_whitened():
    torch.manual_seed(0)
    network = world_autoencoder.AutoencoderTiny(**world_autoencoder.CONFIG).eval()
    pictures = torch.nn.functional.interpolate(torch.rand(64, 3, 16, 16) * 2 - 1, scale_factor=4, mode="bicubic")
    pictures = pictures * torch.tensor([1.0, 0.5, 0.3]).view(3, 1, 1)
    world_autoencoder.write_code(network, pictures)
    with torch.no_grad():
        z = network.encode(pictures).latents * network.config["scaling_factor"]
    code = z.permute(0, 2, 3, 1).flatten(0, 2)
    covariance = torch.cov(code.T)
    deviations = covariance.diag().sqrt()
    assert code.mean(0).abs().max() < 1e-4 and (covariance - covariance.diag().diag()).abs().max() < 1e-4
    assert covariance.diag().mean() == pytest.approx(1, abs=1e-3) and (deviations.diff() <= 1e-4).all()
    blocks = torch.nn.functional.unfold(pictures, 8, stride=8).transpose(1, 2).flatten(0, 1)
    centred = blocks - blocks.mean(0)
    variances = torch.linalg.svdvals(centred.double()).square() / (len(centred) - 1)
    of_code = deviations.double() ** 4
    assert torch.allclose(of_code / of_code[0], variances[:16] / variances[0], rtol=1e-3), "the root of what it was"
    # Whoever undoes it linearly loses what the other components had, and no more: the blocks are where they should be.
    back = code @ torch.linalg.lstsq(code, centred).solution
    assert (centred - back).square().sum(1).mean().item() == pytest.approx(variances[16:].sum().item(), rel=1e-3)


def test_our_words_are_one_token_each_and_everything_else_can_be_spelled():
    captions = ["A blue bird.", "The bird's wings are blue, and its beak is short."] * 3
    tokenizer = learn_words(captions)
    assert tokenizer.tokenize("A blue bird.") == ["a</w>", "blue</w>", "bird</w>", ".</w>"]
    assert tokenizer.convert_ids_to_tokens([0, 1]) == ["<|startoftext|>", "<|endoftext|>"]
    assert tokenizer.decode(tokenizer("zyx 42 ü 鳥", add_special_tokens=False)["input_ids"]).replace(" ", "") == "zyx42ü鳥"
    tokens = spelled(tokenizer, ["A blue bird.", "blue " * 100])
    assert tokens.shape == (2, world_reader.TOKENS) and tokens.dtype == np.int16
    assert tokens[0, 0] == 0 and (tokens[0, 5:] == 1).all() and tokens[1, -1] == 1
    assert words_of("The bird's wings, 3 of them") == ["the", "bird", "s", "wings", "of", "them"]


@pytest.mark.slow
def test_the_judge_learns_and_measures_a_pipeline(people, tmp_path, monkeypatch):
    from tests.text_to_image_records import tiny_pipeline, write

    monkeypatch.setattr(world_judge, "COMPOSED", 2)
    monkeypatch.setitem(world_judge.WATCHED, "portrait", ("glasses", "hat"))
    monkeypatch.setitem(world_judge.CONFIG, "widths", [4, 4, 4, 4])
    common = ("--world", people, "--run", tmp_path / "judge")
    run(world_judge, *common, "--minutes", 0.02)
    assert state_of(tmp_path / "judge")["step"] >= 1
    pipeline = write(tiny_pipeline(side=128), tmp_path / "pipeline")
    run(world_judge, *common, "--evaluate", "--pipeline", pipeline, "--count", 2)
    table = json.loads((tmp_path / "judge" / "evaluation.json").read_text())
    assert {"judge on real pictures", "seen combinations", "held out combinations"} <= table.keys()
    assert 0 <= table["held out combinations"]["all"]["right"] <= 1
    assert table["judge on real pictures"]["of portraits"]["of"] > 2

    for module in (common_recipe, world_judge):
        monkeypatch.setattr(module, "CHECKPOINTS", tmp_path / "shipped")
    run(world_judge, *common, "--ship")
    kept = load_file(tmp_path / "shipped" / "world-judge" / "model.safetensors")
    assert torch.equal(kept["queries"], state_of(tmp_path / "judge")["average"]["queries"].half())
    with Image.open(tmp_path / "shipped" / "world-judge" / "sample.webp") as watched:
        assert watched.size == (2 * 128 + 4, 2 * 128 + 4)
    run(world_judge, "--world", people, "--run", tmp_path / "none", "--evaluate", "--pipeline", pipeline, "--count", 2)
    again = json.loads((tmp_path / "none" / "evaluation.json").read_text())
    assert again["judge on real pictures"].keys() == table["judge on real pictures"].keys()


def test_of_each_attribute_the_share_that_was_said_right():
    told = [{"kind": "bird", "crown": "red"}, {"kind": "flower", "petal_colour": "blue"}]
    said = [{"kind": "bird", "crown": "blue"}, {"kind": "flower", "petal_colour": "blue"}]
    assert world_judge.shares(said, told) == {
        "all": {"right": 0.75, "of": 4}, "of birds": {"right": 0.5, "of": 2}, "kind": {"right": 1.0, "of": 2},
        "crown": {"right": 0.0, "of": 1}, "of flowers": {"right": 1.0, "of": 2}, "petal_colour": {"right": 1.0, "of": 1}}


def test_attributes_that_a_family_lacks_are_not_learnt():
    wanted = world_attributes.targets([world.named(world.sample_of("birds", 1)), world.named(world.sample_of("portraits", 1))])
    names = list(world.ATTRIBUTES)
    assert wanted[0, names.index("sex")] == -1 and wanted[1, names.index("sex")] >= 0
    assert (wanted[:, names.index("kind")] >= 0).all()
    answers = torch.zeros(2, world_attributes.VALUES, requires_grad=True)
    world_attributes.loss_of(answers, wanted).backward()
    sex = world_attributes.SLOTS["sex"]
    assert answers.grad[0, sex].abs().sum() == 0 < answers.grad[1, sex].abs().sum()
