# SPDX-License-Identifier: Apache-2.0
"""A page as Chromium shows it, at a width of our choice.

The page stands in a frame: Chromium's own window can't be as narrow as a
phone.
"""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")
NARROWEST = 500  # window
FRAME = """<!DOCTYPE html>
<style>
body {{ margin: 0; background: #d0d4d9 }}
iframe {{ border: 0; display: block; width: {width}px; height: {height}px; margin: auto }}
</style>
<iframe src="page.html"></iframe>
<script>
onload = () => {{
  const page = document.querySelector("iframe").contentDocument.documentElement;
  document.title = "wide " + page.scrollWidth;
}}
</script>
"""


class Browser:
    """One page in one width."""

    def __init__(self, page: bytes, width: int, height: int) -> None:
        self._page, self._width, self._height = page, width, height

    def _run(self, folder: str, *arguments: str) -> str:
        (Path(folder) / "page.html").write_bytes(self._page)
        frame = Path(folder) / "frame.html"
        frame.write_text(FRAME.format(width=self._width, height=self._height))
        window = f"{max(self._width, NARROWEST)},{self._height}"
        argv = [
            PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu",
            "--hide-scrollbars", "--allow-file-access-from-files",
            f"--user-data-dir={folder}/profile", f"--window-size={window}",
            *arguments, frame.as_uri(),
        ]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=180)
        return done.stdout

    def content_width(self) -> int:
        """How wide the page is; more than the width: it has to be pushed."""
        dom = ""
        for _ in range(3):  # it now and then leaves before it has painted
            with tempfile.TemporaryDirectory() as folder:
                dom = self._run(folder, "--dump-dom")
            if found := re.search(r"<title>wide (\d+)</title>", dom):
                return int(found[1])
        raise RuntimeError(f"Chromium shows nothing: {dom[:500]}")

    def picture(self) -> bytes:
        """A PNG of its upper part."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "picture.png"
            self._run(folder, f"--screenshot={file}")
            return file.read_bytes()
