"""What a file of settings may say, and what is said where Ray is not installed. Needs no Ray."""

import subprocess
import sys
from pathlib import Path

import pytest

from gm_core.cluster.settings import read
from gm_core.errors import GMError

ROOT = Path(__file__).resolve().parents[2]


def test_every_task_has_its_settings_and_a_file_changes_what_it_names(tmp_path):
    ours = read()
    assert {"srgan", "style_transfer", "pix2pix", "portraits", "gatys", "check", "others"} <= ours.tasks.keys()
    assert sum(one.min_replicas * one.num_cpus for one in ours.tasks.values()) <= 2, "two cores hold what stands ready"
    (tmp_path / "own.toml").write_text("max_waiting = 5\n[task]\nnum_cpus = 2\n[tasks.srgan]\nnum_gpus = 0.5\n")
    own = read(tmp_path / "own.toml")
    assert own.max_waiting == 5 and own.start_within_s == ours.start_within_s and own.local == ours.local
    assert own.tasks["srgan"].num_cpus == own.tasks["gatys"].num_cpus == 2
    assert (own.tasks["srgan"].num_gpus, own.tasks["gatys"].num_gpus) == (0.5, 0)
    assert own.tasks["gatys"].min_replicas == ours.tasks["gatys"].min_replicas != ours.tasks["srgan"].min_replicas


@pytest.mark.parametrize(("text", "sentence"), [
    ("[task", "cannot be read as settings"), ("waiting = 5", "know no 'waiting'"), ("[task]\ncpus = 1", "cpus'"),
    ("[tasks.rembrandt]\nnum_cpus = 1", "know no 'tasks.rembrandt'"), ("[tasks.srgan]\nnum_cpus = 'two'", "cannot be 'two'"),
    ("[tasks.srgan]\nnum_cpus = -1", "cannot be -1"), ("[tasks.srgan]\nmin_replicas = 9", "max_replicas of 1 and more"),
    ("[tasks.srgan]\nmin_replicas = 0\nmax_replicas = 0", "max_replicas of 1"), ("max_waiting = 'all'", "cannot be 'all'"),
    ("tasks = 3", "should be a table"), ("[task]\nmin_replicas = true", "cannot be True"),
])
def test_what_makes_no_sense_gets_a_sentence(text, sentence, tmp_path):
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(GMError) as caught:
        read(tmp_path / "own.toml")
    assert sentence in str(caught.value)


def test_a_file_that_is_not_there_gets_a_sentence(tmp_path):
    with pytest.raises(GMError, match="cannot be read"):
        read(tmp_path / "none.toml")


def run(words: list[str], before: str = "") -> subprocess.CompletedProcess:
    script = f"import runpy, sys\n{before}\nsys.argv = {words!r}\nrunpy.run_module({words[0]!r}, run_name='__main__')"
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def test_where_ray_is_not_installed_a_sentence_says_how_to_get_it():
    done = run(["gm_core.check", "srgan", "srgan-x4", "--engine", "ray"], "sys.modules['ray'] = None")
    assert done.returncode == 2 and 'pip install "ray[serve]==' in done.stderr and "Traceback" not in done.stderr


def test_an_address_without_ray_makes_no_sense():
    done = run(["gm_core.check", "srgan", "srgan-x4", "--address", "10.0.0.1:6379"])
    assert done.returncode == 2 and "belong to --engine ray" in done.stderr
