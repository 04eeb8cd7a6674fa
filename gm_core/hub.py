"""The Hub's files: where a checkpoint is, whether a visitor may have it fetched, and fetching it. Nothing here imports torch.

The cache is asked before the network. Environment: `GM_HUB_ALLOW` (repositories that visitors may have fetched), and the Hub's
own `HF_TOKEN`, `HF_HOME`, `HF_HUB_OFFLINE`, `HF_ENDPOINT`.
"""

import errno
import fnmatch
import io
import os
import threading
from pathlib import Path
from typing import Any

from gm_core.checkpoints import Checkpoint
from gm_core.errors import Cancelled, CheckpointError, Unavailable
from gm_core.public import is_public
from gm_core.report import Report, silent


def allowed_repositories() -> list[str]:
    """Patterns of the repositories beyond the table that a visitor may have fetched: `GM_HUB_ALLOW`, names or patterns like
    "owner/*" separated by commas; unset, none where strangers come (`is_public`) and any on a machine of one's own."""
    text = os.environ.get("GM_HUB_ALLOW")
    if text is None:
        return [] if is_public() else ["*"]
    return [pattern.strip() for pattern in text.split(",") if pattern.strip()]


def is_allowed(repo_id: str) -> bool:
    """Whether `allowed_repositories` has this one."""
    return any(fnmatch.fnmatchcase(repo_id.lower(), pattern.lower()) for pattern in allowed_repositories())


def where(checkpoint: Checkpoint) -> str:
    """"shipped", "cached", or the size of the download: "67 MB to download". Touches no network."""
    if checkpoint.shipped:
        return "shipped"
    if checkpoint.pinned and _cached_files(checkpoint):
        return "cached"
    return f"{checkpoint.size / 1e6:.0f} MB to download"


def fetch(checkpoint: Checkpoint, report: Report = silent) -> Path:
    """The folder that holds the checkpoint's files, downloaded if they are not here yet.

    The cache is asked first: at a full commit a cached file needs no network at all. Raises Unavailable, and
    CheckpointError before anything is fetched that is not safetensors.
    """
    for name in checkpoint.files:
        if Path(name).suffix not in (".safetensors", ".json", ".txt"):
            raise CheckpointError(f"{checkpoint.title} lists {name}, which is not safetensors. It is not loaded.")
    if checkpoint.shipped:
        return checkpoint.folder
    files = _cached_files(checkpoint)
    if files is None or not checkpoint.pinned:
        try:
            files = _download(checkpoint, report)
        except Unavailable:
            if files is None:
                raise
    return files[0].parents[checkpoint.files[0].count("/")]


def _cached_files(checkpoint: Checkpoint) -> list[Path] | None:
    from huggingface_hub import try_to_load_from_cache

    found = []
    for name in checkpoint.files:
        path = try_to_load_from_cache(checkpoint.repo_id or "", name, revision=checkpoint.revision)
        if not isinstance(path, str) or not Path(path).exists():
            return None
        found.append(Path(path))
    return found


def _download(checkpoint: Checkpoint, report: Report) -> list[Path]:
    download = _Download(checkpoint)
    download.start()
    try:
        while download.is_alive():
            download.join(0.2)
            total = max(checkpoint.size, download.received, 1)
            report(download.received / total, f"Downloading {checkpoint.title}: {download.received / 1e6:.0f} of "
                                              f"{total / 1e6:.0f} MB")
    finally:
        download.abandoned = True
    if download.failure:
        file, error = download.failure
        raise Unavailable(why_unavailable(checkpoint, file, error)) from error
    return download.files


class _Download(threading.Thread):
    """Fetches a checkpoint's files. A thread of its own, because the Hub's downloader waits and retries in silence,
    while whoever asked for the checkpoint may leave at any moment.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(name=f"download {checkpoint.name}", daemon=True)
        self.checkpoint = checkpoint
        self.files: list[Path] = []
        self.received = 0
        """Bytes that are here; never falls, though a broken file starts again."""
        self.failure: tuple[str, Exception] | None = None
        """The file that could not be fetched, and why."""
        self.abandoned = False
        """Set when nobody waits any more: the download ends at its next ten megabytes, or, if the Hub sends the file by
        its Xet protocol, which cannot be stopped, in the cache."""

    def run(self) -> None:
        from httpx2 import HTTPError
        from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

        repo_id, revision = self.checkpoint.repo_id or "", self.checkpoint.revision
        for name in self.checkpoint.files:
            try:
                # Asked first, because it fails at once and says why; the downloader tries again for half a minute
                # (or for as long as a busy Hub demands) and then forgets the reason.
                get_hf_file_metadata(hf_hub_url(repo_id, name, revision=revision))
                self.files.append(Path(hf_hub_download(repo_id, name, revision=revision, tqdm_class=self._meter())))
            except Cancelled:
                return
            except (OSError, ValueError, RuntimeError, HTTPError) as error:
                self.failure = name, error
                return
            self.received = max(self.received, sum(file.stat().st_size for file in self.files))

    def _meter(self) -> type:
        """The progress bar that the Hub's downloader shall drive: it counts, and says when to stop."""
        from tqdm import tqdm

        download, before = self, self.received

        class Meter(tqdm):
            def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the downloader's own arguments
                super().__init__(*args, **{**kwargs, "file": io.StringIO(), "disable": False})

            def update(self, n: float | None = 1) -> bool | None:
                shown = super().update(n)
                download.received = max(download.received, int(before + self.n))
                if download.abandoned and threading.current_thread() is download:
                    raise Cancelled
                return shown

        return Meter


def why_unavailable(checkpoint: Checkpoint, file: str, error: Exception) -> str:
    """What happened, and what can be done, for a visitor."""
    from httpx2 import ConnectError, TimeoutException
    from huggingface_hub import errors

    place = f"{checkpoint.repo_id} on the Hub"
    status = getattr(getattr(error, "response", None), "status_code", None)
    others = "The shipped checkpoints work without it."
    if _caused_by_full_disk(error):
        return (f"There is not enough room on the disk for {checkpoint.title} ({checkpoint.size / 1e6:.0f} MB). Free "
                "some space, or point HF_HOME to a larger disk.")
    if isinstance(error, errors.GatedRepoError):
        return (f"{place} is gated: accept its licence on its page and set HF_TOKEN to a token of that account. "
                f"{others}")
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{place} has no commit {(checkpoint.revision or '')[:8]} any more. {others}"
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return f"{place} has no file {file} at commit {(checkpoint.revision or '')[:8]}. {others}"
    if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 403):
        return f"{place} cannot be read: it does not exist, or is private. If it is yours, set HF_TOKEN. {others}"
    if status == 429:
        return f"The Hub asks for patience (too many requests). Try again in some minutes. {others}"
    if status is not None and status >= 500:
        return f"The Hub has trouble at the moment (error {status}). Try again in some minutes. {others}"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return (f"{checkpoint.title} is not on this machine and HF_HUB_OFFLINE forbids to fetch it. Unset it to "
                f"download {checkpoint.size / 1e6:.0f} MB once. {others}")
    if isinstance(error, (errors.LocalEntryNotFoundError, ConnectError, TimeoutException)):
        return (f"{checkpoint.title} is not on this machine and the Hub cannot be reached. Check the network: "
                f"{checkpoint.size / 1e6:.0f} MB would be downloaded once. {others}")
    if getattr(error, "errno", None) in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
        return f"The cache folder for weights cannot be written. Point HF_HOME to a folder that can. {others}"
    return f"{checkpoint.title} could not be downloaded: the connection to the Hub broke. Try again. {others}"


def _caused_by_full_disk(error: BaseException | None) -> bool:
    while error is not None:
        if getattr(error, "errno", None) == errno.ENOSPC or "no space left" in str(error).lower():
            return True
        error = error.__cause__ or error.__context__
    return False
