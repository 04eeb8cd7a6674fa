"""world-128 learns to read: its tokenizer, and its text encoder, before it has seen a picture.

    python -m gm_core.recipes.world_reader --run runs/world-reader --minutes 12

In Stable Diffusion the text encoder comes from CLIP, which has read four hundred million captions. Ours would have to learn
the language from the denoiser's loss alone, in which words matter little and late. But our captions come from records: so
the encoder first learns to tell the record from the caption. For each attribute ("the wing's colour", "the hat") a learned
query looks at the words by attention, as the denoiser's layers will, and must name its value. The queries are then thrown
away. And all the words are pooled into one vector, as every block of the denoiser will hear them, from which all values must be
told. Left to the denoiser's loss that vector stayed empty, and of what two cells in 256 show it never learnt the word.
Captions are endless here, none comes twice.

The tokenizer is a byte-level BPE (Sennrich et al. 2016, arXiv:1508.07909): every text can be spelled, and each word of the
world's vocabulary is one token.

Minutes are of work, not of the clock's: the same command goes on after an interruption. The result is RUN/tokenizer and
RUN/state.pt; the log ends with the share of the named attributes that are read right, on captions never seen: by the
queries, and from the pooled words.
"""

import argparse
import copy
import json
import logging
import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.embeddings import TextTimeEmbedding
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from gm_core.datasets import world
from gm_core.recipes.common import average_in, load_state, quickly, save_state, start, worked_seconds
from gm_core.recipes.world_attributes import SLOTS, VALUES, loss_of, right, said, targets

logger = logging.getLogger("recipe.world_reader")

ROWS = 2048  # of the embedding; the tokenizer may need fewer
TOKENS = 40
TEXT: dict[str, Any] = {"hidden_size": 160, "intermediate_size": 640, "num_hidden_layers": 2, "num_attention_heads": 5,
                        "projection_dim": 160, "hidden_act": "gelu"}
POOLED = 256  # numbers that all the words together become: as many as the denoiser has for the time
QUIETER = 0.5  # the pooled words, beside the time, to begin with
BATCH = 64
RATE, LAST, WARM_STEPS = 1.5e-3, 0.02, 100
AVERAGE = 0.998  # of the weights, a step
LEARNT_FROM = 6000  # captions that the tokenizer counts
FIRST = 5_000_000  # seed of the captions, far from those whose pictures are drawn


def words_of(text: str) -> list[str]:
    """Its words, as the tokenizer takes text apart."""
    return re.findall(r"[^\W\d_]+", text.lower())


def learn_words(captions: Iterable[str]) -> CLIPTokenizer:
    """A tokenizer for these captions, see above."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    learner.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])  # pyright: ignore
    learner.pre_tokenizer = pre_tokenizers.Sequence([  # pyright: ignore[reportAttributeAccessIssue]
        pre_tokenizers.Split(Regex(r"'s|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    learner.train_from_iterator(captions, trainers.BpeTrainer(
        vocab_size=ROWS - 258, initial_alphabet=alphabet, end_of_word_suffix="</w>", continuing_subword_prefix="",
        show_progress=False))
    merges = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    # Begin and end first, so that their numbers stay when words are added.
    tokens = ["<|startoftext|>", "<|endoftext|>", *alphabet, *(letter + "</w>" for letter in alphabet),
              *dict.fromkeys(a + b for a, b in merges)]
    tokens = list(dict.fromkeys(tokens))
    return CLIPTokenizer(vocab={token: i for i, token in enumerate(tokens)}, merges=merges,  # pyright: ignore
                         model_max_length=TOKENS)


def spelled(tokenizer: CLIPTokenizer, captions: list[str]) -> np.ndarray:
    """Numbers of their tokens (N, TOKENS) int16, padded as the pipeline pads them."""
    found = tokenizer(captions, padding="max_length", max_length=TOKENS, truncation=True)["input_ids"]
    return np.asarray(found, np.int16)


def text_encoder() -> CLIPTextModel:
    return CLIPTextModel(CLIPTextConfig(vocab_size=ROWS, max_position_embeddings=TOKENS, bos_token_id=0, eos_token_id=1,
                                        pad_token_id=1, **TEXT))


class Reader(nn.Module):
    """Text encoder, for each attribute a query that looks among its words, and the words pooled."""

    def __init__(self) -> None:
        super().__init__()
        width = TEXT["hidden_size"]
        self.text = text_encoder()
        self.queries = nn.Parameter(0.5 * torch.randn(len(SLOTS), width))
        self.look = nn.MultiheadAttention(width, TEXT["num_attention_heads"], batch_first=True)
        self.answer = nn.ModuleList(nn.Linear(width, slot.stop - slot.start) for slot in SLOTS.values())
        self.pooled = TextTimeEmbedding(width, POOLED, TEXT["num_attention_heads"])
        self.answers = nn.Linear(POOLED, VALUES)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """tokens: (B, TOKENS). Returns logits (B, VALUES), side by side as in SLOTS: by the queries, from the pooled words."""
        words = self.text(tokens).last_hidden_state
        found, _ = self.look(self.queries.expand(len(words), -1, -1), words, words, need_weights=False)
        return (torch.cat([head(found[:, k]) for k, head in enumerate(self.answer)], 1),
                self.answers(self.pooled(words)))


def read(run: Path) -> tuple[CLIPTokenizer, dict[str, Tensor], dict[str, Tensor]]:
    """Of a finished run the tokenizer, and the weights of the text encoder and of what pools its words (a UNet's
    `add_embedding`). Raises FileNotFoundError where there is none.
    """
    if (state := load_state(run)) is None:
        raise FileNotFoundError(f"{run} holds no text encoder. Run gm_core.recipes.world_reader first.")

    def of(part: str) -> dict[str, Tensor]:
        return {name.removeprefix(part): value for name, value in state["average"].items() if name.startswith(part)}

    pooled = {name: value * QUIETER if name.startswith("norm2.") else value for name, value in of("pooled.").items()}
    return CLIPTokenizer.from_pretrained(str(run / "tokenizer")), of("text."), pooled


@torch.inference_mode()
def measure(reader: Reader, tokenizer: CLIPTokenizer, count: int) -> dict[str, list[float]]:
    """Share of the named attributes that are read right, for `count` captions of seen and of held-out combinations, by the
    queries and from the pooled words.
    """
    found = {}
    for kind, sample in (("seen", world.sample), ("held out", world.sample_held_out)):
        pairs = [world.captioned(sample(world.HELD_OUT + i), i) for i in range(count)]
        tokens = torch.from_numpy(spelled(tokenizer, [text for text, _ in pairs])).long()
        shares = []
        for answers in reader(tokens):
            each = [one for answer, (_, told) in zip(said(answers), pairs, strict=True)
                    for one in right(answer, told).values()]
            shares.append(round(float(np.mean(each)), 4))
        found[kind] = shares
    return found


def lesson(tokenizer: CLIPTokenizer, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Captions of these seeds as tokens (N, TOKENS), and what they name (N, attributes)."""
    pairs = [world.captioned(world.sample(FIRST + seed), seed) for seed in seeds]
    return torch.from_numpy(spelled(tokenizer, [text for text, _ in pairs])).long(), targets([told for _, told in pairs])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/world-reader"))
    parser.add_argument("--minutes", type=float, default=12.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    start(args.run, args.threads)

    torch.manual_seed(args.seed)
    reader = Reader()
    average = copy.deepcopy(reader).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(reader.parameters(), RATE, (0.9, 0.98), weight_decay=0.01)
    step, worked = 0, 0.0
    if state := load_state(args.run):
        for name, part in {"reader": reader, "average": average, "optimizer": optimizer}.items():
            part.load_state_dict(state[name])
        step, worked = state["step"], state["worked"]
        tokenizer = CLIPTokenizer.from_pretrained(str(args.run / "tokenizer"))
        logger.info("going on from step %d, %.1f minutes", step, worked / 60)
    else:
        tokenizer = learn_words([*sorted(world.VOCABULARY),
                                 *(world.caption(world.sample(seed), seed) for seed in range(LEARNT_FROM))])
        tokenizer.save_pretrained(str(args.run / "tokenizer"))
    logger.info("%d tokens; %.2f M weights of the text encoder", len(tokenizer),
                sum(p.numel() for p in reader.text.parameters()) / 1e6)

    losses: list[float] = []
    reported = time.perf_counter()
    clock = worked_seconds()
    while worked < args.minutes * 60:
        share = worked / (args.minutes * 60)
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, max(LAST, 1.5 * (1 - share))) * min(1.0, (step + 1) / WARM_STEPS)
        tokens, wanted = lesson(tokenizer, range(step * BATCH, (step + 1) * BATCH))
        loss = torch.stack([loss_of(answers, wanted) for answers in quickly(reader, tokens)]).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
        step += 1
        average_in(average, reader, step, AVERAGE)
        worked += worked_seconds() - clock
        over = worked >= args.minutes * 60
        if time.perf_counter() - reported > 60 or over:
            save_state(args.run, reader=reader.state_dict(), average=average.state_dict(), optimizer=optimizer.state_dict(),
                       step=step, worked=worked)
            logger.info("%.1f min  step %d  loss %.4f  read right: %s", worked / 60, step, np.mean(losses),
                        measure(average, tokenizer, 1000 if over else 200))
            losses, reported = [], time.perf_counter()
        clock = worked_seconds()


if __name__ == "__main__":
    main()
