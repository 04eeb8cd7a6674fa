"""Tasks on many machines, by Ray Serve. Ray is an optional installation: only `engine` and `replica` import it, when asked for.

    settings.toml   resources, autoscaling and health, task by task
    engine.py       RayEngine, in the one front process: lines, places, progress, cancel, retry
    replica.py      what runs in the other processes
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gm_core.engine import Engine, LocalEngine
from gm_core.errors import GMError

RAY = "ray[serve]==2.60.0"


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--engine`, `--address` and `--cluster`."""
    parser.add_argument("--engine", choices=("local", "ray"), default="local",
                        help="where networks run: in this process, or as replicas of Ray Serve")
    parser.add_argument("--address", help="of a Ray cluster that runs already, like 10.0.0.1:6379; without it one is started "
                                          "on this machine for as long as this runs")
    parser.add_argument("--cluster", type=Path, metavar="FILE",
                        help="resources, autoscaling and health, as in gm_core/cluster/settings.toml")


@contextmanager
def chosen(options: argparse.Namespace, name: str = "gallery", tasks: Sequence[str] | None = None,
           max_waiting: int | None = None) -> Iterator[Engine]:
    """The engine of those options, ready, and closed afterwards. name, tasks, max_waiting: see `RayEngine`. Raises GMError."""
    if options.engine == "local":
        if options.address or options.cluster:
            raise GMError("--address and --cluster belong to --engine ray.")
        yield LocalEngine()
        return
    try:
        from gm_core.cluster.engine import RayEngine
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "ray":
            raise
        raise GMError(f'Ray is not installed here. Install it with: pip install "{RAY}"') from error
    engine = RayEngine(options.address, cluster=options.cluster, name=name, tasks=tasks, max_waiting=max_waiting)
    try:
        yield engine
    finally:
        engine.close()
