# SPDX-License-Identifier: Apache-2.0
"""Unpacks Debian packages beside the system, without installing them.

    python3 -m tests.support.debian FOLDER PACKAGE [LIBRARY...]

The package always comes into the folder; of the libraries that it needs, those
that the system does not have. What is there already is not fetched again.
"""

import subprocess
import sys
from pathlib import Path


def installed(package: str) -> bool:
    argv = ["dpkg-query", "-W", "-f", "${Status}", package]
    done = subprocess.run(argv, capture_output=True, text=True)
    return "install ok installed" in done.stdout


def unpack(folder: Path, package: str) -> None:
    """Fetches a package and unpacks it into FOLDER/root."""
    mark = folder / f"{package}.unpacked"
    if mark.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "-q", "download", package], cwd=folder, check=True)
    (archive,) = folder.glob(f"{package}_*.deb")
    subprocess.run(["dpkg", "-x", str(archive), str(folder / "root")], check=True)
    archive.unlink()
    mark.touch()


def main() -> int:
    folder, package, *libraries = sys.argv[1:]
    for name in [package, *(lib for lib in libraries if not installed(lib))]:
        try:
            unpack(Path(folder), name)
        except subprocess.CalledProcessError as error:
            print(f"{name}: could not be fetched: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
