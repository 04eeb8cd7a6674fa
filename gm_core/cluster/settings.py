"""What `settings.toml` says, read strictly: a word that nobody knows is an error that names it."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from gm_core.errors import GMError

DEFAULT = Path(__file__).with_name("settings.toml")
TASKS = Path(__file__).resolve().parents[1] / "tasks"
CHECK, OTHERS = "check", "others"


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How one task is spread; `settings.toml` says what each is."""

    num_cpus: float
    num_gpus: float
    threads: int
    model_memory: str
    networks: int
    min_replicas: int
    max_replicas: int
    upscale_delay_s: float
    downscale_delay_s: float
    health_check_period_s: float
    health_check_timeout_s: float
    graceful_shutdown_timeout_s: float


@dataclass(frozen=True)
class Settings:
    max_waiting: int
    start_within_s: float
    local: dict[str, Any]
    tasks: dict[str, Spread]


def read(path: Path | None = None) -> Settings:
    """The settings of a file; what it leaves out is as in ours. Raises GMError."""
    ours = tomllib.loads(DEFAULT.read_text(encoding="utf-8"))
    given: dict[str, Any] = {}
    if path is not None:
        try:
            given = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise GMError(f"{path} cannot be read as settings of a cluster: {error}") from error
    names = [*sorted(file.stem for file in TASKS.glob("[a-z]*.py")), CHECK, OTHERS]
    _known(given, ours, "")
    _known(given.get("local", {}), [*ours["local"], "num_cpus"], "local.")
    _known(given.get("tasks", {}), names, "tasks.")
    spreads = {}
    for name in names:
        told = {**ours["task"], **ours["tasks"].get(name, {}), **given.get("task", {}), **given.get("tasks", {}).get(name, {})}
        _known(told, [field.name for field in fields(Spread)], f"tasks.{name}.")
        spreads[name] = _checked(Spread(**told), name)
    top = {**ours, **given}
    for name in ("max_waiting", "start_within_s"):
        if type(top[name]) not in (int, float) or top[name] <= 0:
            raise GMError(f"{name} of the cluster's settings cannot be {top[name]!r}.")
    return Settings(top["max_waiting"], top["start_within_s"], {**ours["local"], **given.get("local", {})}, spreads)


def _known(given: dict[str, Any], names: Any, where: str) -> None:  # noqa: ANN401 - whatever lists them
    if not isinstance(given, dict):
        raise GMError(f"[{where.rstrip('.')}] of the cluster's settings should be a table.")
    if strange := [name for name in given if name not in names]:
        raise GMError(f"The cluster's settings know no '{where}{strange[0]}'. There are: {', '.join(names)}.")


def _checked(spread: Spread, name: str) -> Spread:
    for field in fields(Spread):
        value: Any = getattr(spread, field.name)
        right = str if field.type is str else (int, float) if field.type is float else int
        if not isinstance(value, right) or isinstance(value, bool) or (not isinstance(value, str) and value < 0):
            raise GMError(f"{field.name} of {name} cannot be {value!r}.")
    if spread.min_replicas > spread.max_replicas or min(spread.max_replicas, spread.threads, spread.networks) < 1:
        raise GMError(f"{name} needs max_replicas of 1 and more, min_replicas up to that, and at least one thread and network.")
    return spread
