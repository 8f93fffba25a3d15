# SPDX-License-Identifier: Apache-2.0
"""Unpacks Debian packages beside the system, without installing them.

    python3 -m tests.support.debian PACKAGE...

A package always comes into the folder; of the libraries that it needs, those
that the system does not have. What is there already is not fetched again. What
cannot be had, or would not start for want of a library, is an error.
"""

import os
import subprocess
import sys
from pathlib import Path

from lab.server import ROOT

FOLDER = ROOT / "build" / "interop"
UNPACKED = FOLDER / "root"

#: By package: the programs that must be able to start, and what they need.
PROGRAMS = {
    "postfix": ["usr/lib/postfix/sbin/master", "usr/lib/postfix/sbin/smtpd"],
    "exim4-daemon-light": ["usr/sbin/exim4"],
    "bind9": ["usr/sbin/named"],
    "nsd": ["usr/sbin/nsd"],
    "unbound": ["usr/sbin/unbound"],
}
NEEDS = {
    "postfix": "libdb5.3 libicu72 libnsl2 libtirpc3 libsasl2-2",
    "exim4-daemon-light": "libdb5.3 libgnutls-dane0 libgnutls30 libidn12 "
    "libidn2-0 libnsl2 libtirpc3 libpcre2-8-0 libunbound8",
    "bind9": "bind9-libs libcap2 libfstrm0 libjemalloc2 libjson-c5 liblmdb0 "
    "libmaxminddb0 libnghttp2-14 libprotobuf-c1 libuv1 libxml2 libicu72",
    "nsd": "libevent-2.1-7 libfstrm0 libprotobuf-c1",
    "unbound": "libevent-2.1-7 libnghttp2-14 libprotobuf-c1 libpython3.11",
}


def library_path() -> str:
    """Where unpacked programs find their libraries."""
    found = sorted((UNPACKED / "usr" / "lib").glob("*-linux-gnu*"))
    return ":".join(map(str, [UNPACKED / "usr" / "lib" / "postfix", *found]))


def environment() -> dict[str, str]:
    return {**os.environ, "LD_LIBRARY_PATH": library_path()}


def program(path: str) -> str:
    return str(UNPACKED / path)


def version(package: str) -> str:
    return (FOLDER / f"{package}.unpacked").read_text().strip()


def installed(package: str) -> bool:
    argv = ["dpkg-query", "-W", "-f", "${Status}", package]
    done = subprocess.run(argv, capture_output=True, text=True)
    return "install ok installed" in done.stdout


def unpack(package: str) -> None:
    """Fetches a package and unpacks it; its mark holds the version."""
    mark = FOLDER / f"{package}.unpacked"
    if mark.exists() and mark.read_text():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    fetch = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package]
    subprocess.run(fetch, cwd=FOLDER, check=True)
    (archive,) = FOLDER.glob(f"{package}_*.deb")
    subprocess.run(["dpkg", "-x", str(archive), str(UNPACKED)], check=True)
    field = ["dpkg-deb", "-f", str(archive), "Version"]
    found = subprocess.run(field, check=True, capture_output=True, text=True)
    archive.unlink()
    mark.write_text(found.stdout)


def missing_libraries(path: str) -> list[str]:
    argv = ["ldd", program(path)]
    done = subprocess.run(argv, capture_output=True, text=True, env=environment())
    if done.returncode != 0:
        return [done.stderr.strip() or done.stdout.strip()]
    lines = [line.strip() for line in done.stdout.splitlines() if "not found" in line]
    return list(dict.fromkeys(lines))


def main() -> int:
    faults = []
    for package in sys.argv[1:]:
        needed = [lib for lib in NEEDS[package].split() if not installed(lib)]
        for name in [package, *needed]:
            try:
                unpack(name)
            except (subprocess.CalledProcessError, OSError, ValueError) as error:
                faults.append(
                    f"{name} could not be fetched and unpacked: {error}; "
                    "is there a network, and has `apt-get update` run?"
                )
        faults += [
            f"{path} of {package} would not start: {line}"
            for path in PROGRAMS[package]
            for line in missing_libraries(path)
        ]
    for fault in faults:
        print(f"interop: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
