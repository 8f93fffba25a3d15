# SPDX-License-Identifier: Apache-2.0
"""The world of the demo with a shell in it.

    python3 -m lab.shell
"""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from lab import netns, procs
from lab.destinations import destinations
from lab.server import Server, build_directory
from lab.world import World

WELCOME = """\
This is a shell in a network of its own: a signed root, a signed test., and
these destinations. sealpostd runs; leaving the shell ends everything.

{destinations}

Try:
  sealpost policy good.test                 the delivery plan, from fresh DNS
  sealpost policy --json expired.test
  echo hello | sealpost send -f alice@sender.test bob@good.test
  sealpost trace                            what became of it
  sealpost trace --detail ID                every step of it
  sealpost queue list; sealpost sessions; sealpost stats
  swaks --server 127.0.0.1:587 --from alice@sender.test --to bob@wrong.test
  kdig +dnssec @127.0.53.3 _25._tcp.mx.good.test TLSA
  openssl s_client -starttls smtp -connect 127.25.0.1:25 -brief
  less $SEALPOST_CONFIG; less $SEALPOST_LOG
"""

WRAPPER = """\
#!/bin/sh
# sealpost with the configuration of the lab
case "${{1-}}" in
''|-*) exec {program} "$@" ;;
esac
command=$1
shift
exec {program} "$command" -c {config} "$@"
"""


def write_wrapper(directory: Path, server: Server) -> Path:
    """A `sealpost` that knows the lab's configuration; its folder."""
    folder = directory / "bin"
    folder.mkdir()
    program = shlex.quote(str(build_directory() / "sealpost"))
    file = folder / "sealpost"
    config = shlex.quote(str(server.config))
    file.write_text(WRAPPER.format(program=program, config=config))
    file.chmod(0o755)
    return folder


def play(world: World, server: Server) -> int:
    lines = [f"  {domain.name:16} {domain.about}" for domain in world.domains]
    print(WELCOME.format(destinations="\n".join(lines)), flush=True)
    folder = write_wrapper(world.directory, server)
    rc_file = world.directory / "bashrc"
    rc_file.write_text("PS1='(sealpost lab) \\w \\$ '\n")
    environment = {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "SEALPOST_CONFIG": str(server.config),
        "SEALPOST_LOG": str(server.log),
    }
    argv = ["bash", "--rcfile", str(rc_file)]
    return subprocess.run(argv, env=environment).returncode


def main() -> int:
    netns.enter()
    procs.exit_on_signals()
    with tempfile.TemporaryDirectory(prefix="sealpost-lab-") as directory:
        domains = [domain for domain, _ in destinations()]
        with World(Path(directory), domains) as world:
            server = Server(world, retry='"15m", "15m", "1h"', expire="24h")
            server.start()
            play(world, server)
    return 0


if __name__ == "__main__":
    sys.exit(main())
