"""The image of the Dockerfile, built and run where there is no daemon: `python -m tests.container --run runs/container`.

For root on a Debian with its packages buildah and debootstrap. Where no registry is at hand, the Dockerfile's base image is
made on the spot: a minimal Debian with the same minor version of Python, under the base's name (`--pull` takes the real one).
The rest is the Dockerfile's own, step by step. Then the container is started as its user, its health command is asked until
it says yes, and a photograph is sent to a room. Prints a line for each; what was downloaded stays in RUN, some gigabytes.

`--wheels DIR` offers pip these files too, as `find-links`: with a build of torch for CPUs there, the image has 2.4 GB.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import skimage.data
from gradio_client import Client, handle_file
from PIL import Image

from tests.served import ROOT

IMAGE = "localhost/gallery"
SUITE, PACKAGES = "bookworm", "python3,python3-pip,ca-certificates"
PATIENCE = 120  # seconds until the gallery must be well


def instruction(name: str) -> str:
    """The rest of the Dockerfile's only line that begins so, its continuations joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    found, = re.findall(rf"^{name} (.+)$", text, re.MULTILINE)
    return found.strip()


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Buildah:
    """Commands of buildah on a store of its own, without namespaces: for machines that are containers themselves."""

    def __init__(self, run: Path) -> None:
        self.words = ["buildah", "--root", str(run / "store"), "--runroot", str(run / "state"), "--storage-driver", "vfs"]

    def __call__(self, *words: str | Path) -> str:
        return subprocess.run([*self.words, *map(str, words)], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout

    def has(self, image: str) -> bool:
        return image in self("images", "--format", "{{.Name}}:{{.Tag}}").split()


def make_base(buildah: Buildah, name: str, run: Path, wheels: Path | None) -> None:
    """A Debian with Python, where the registry's image of that name would have been."""
    base = run / "base"
    if not (base / "done").exists():
        shutil.rmtree(base, ignore_errors=True)
        subprocess.run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(base)], check=True,
                       stdout=subprocess.DEVNULL)
        (base / "usr/bin/python").symlink_to("python3")
        for guard in base.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):  # of the distribution, not of the image it stands for
            guard.unlink()
        if wheels:
            shutil.copytree(wheels, base / "wheels")
            (base / "etc/pip.conf").write_text("[global]\nfind-links = /wheels\n", encoding="utf-8")
        shutil.copy("/etc/ssl/certs/ca-certificates.crt", base / "etc/ssl/certs/ca-certificates.crt")
        (base / "done").touch()
    container = buildah("from", "scratch").strip()
    buildah("add", "-q", container, base, "/")
    buildah("config", "--cmd", "python3", container)
    buildah("commit", "-q", container, name)
    buildah("rm", container)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/container"))
    parser.add_argument("--pull", action="store_true", help="take the base image from its registry")
    parser.add_argument("--wheels", type=Path, help="a folder of files that pip shall look into")
    args = parser.parse_args()
    if missing := [name for name in ("buildah", "debootstrap") if not shutil.which(name)]:
        raise SystemExit(f"{' and '.join(missing)} missing: apt-get install {' '.join(missing)}.")
    run = args.run.resolve()
    run.mkdir(parents=True, exist_ok=True)
    buildah, base = Buildah(run), f"docker.io/library/{instruction('FROM')}"
    if not args.pull and not buildah.has(base):
        began = time.monotonic()
        make_base(buildah, base, run, args.wheels)
        say(f"base image: {time.monotonic() - began:.0f} s")

    began = time.monotonic()
    buildah("build", "--format", "docker", "--isolation", "chroot", "--network", "host", "--layers=false",
            f"--pull={'always' if args.pull else 'never'}", "-t", IMAGE, ".")
    say(f"built: {time.monotonic() - began:.0f} s")
    container = buildah("from", "--pull=never", IMAGE).strip()
    config = json.loads(buildah("inspect", "--type", "image", IMAGE))["Docker"]["config"]
    command, health = config["Cmd"], config["Healthcheck"]["Test"][1:]
    mounted = Path(buildah("mount", container).strip())
    say(f"image: {sum(f.lstat().st_size for f in mounted.rglob('*')) / 1e9:.1f} GB, user {config['User']}, {command}")
    words = ["run", "--isolation", "chroot", "--network", "host", container, "--"]
    server = subprocess.Popen([*buildah.words, *words, *command])
    try:
        began = time.monotonic()
        while subprocess.run([*buildah.words, *words, *health], check=False, capture_output=True).returncode:
            if server.poll() is not None or time.monotonic() - began > PATIENCE:
                raise SystemExit(f"The gallery in the container is not well after {time.monotonic() - began:.0f} s.")
            time.sleep(1)
        say(f"healthy: after {time.monotonic() - began:.1f} s")
        rights = buildah(*words, "python", "-c", "import os; print(os.getuid(), os.access('/data', os.W_OK), "
                                                 "os.access('/gallery/app.py', os.W_OK))").strip()
        say(f"runs as: {rights} (user, may write data, may write code)")
        photograph = run / "photograph.png"
        Image.fromarray(skimage.data.astronaut()[:128, :128]).save(photograph)
        client = Client("http://127.0.0.1:7860/", verbose=False, download_files=str(run))
        found = client.predict(image=handle_file(photograph), api_name="/srgan")
        say(f"a photograph four times larger: {found}")
    finally:
        server.terminate()
        server.wait(30)
        buildah("umount", container)
        buildah("rm", container)


if __name__ == "__main__":
    main()
