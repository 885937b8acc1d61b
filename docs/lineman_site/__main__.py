"""Builds the site of every language into a directory; `make docs` calls it."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from lineman_site import sources_only, translations
from lineman_site.languages import ENGLISH, LANGUAGES
from lineman_site.pictures import PictureError
from lineman_site.plots import PlotError
from lineman_site.staging import Staging
from lineman_site.translations import TranslationError

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


def build(sources: Path, doctrees: Path, site: Path) -> int:
    """Runs Sphinx for each language; 0, or the number of languages with warnings or errors."""
    failed = 0
    for language in LANGUAGES.values():
        output = site if language is ENGLISH else site / language.code
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
        command += ["-c", str(HERE), "-d", str(doctrees / language.code)]
        command += [str(sources / language.code), str(output)]
        env = {**os.environ, "LINEMAN_SITE_LANGUAGE": language.code, "PYTHONPATH": str(HERE.parent)}
        failed += subprocess.run(command, env=env, check=False).returncode != 0
    return failed


def main() -> int:
    """The status of the command: 0, or not 0 after a warning."""
    parser = argparse.ArgumentParser(prog="make docs", description=__doc__)
    parser.add_argument("build", type=Path, nargs="?", default=ROOT / "build", help="a directory")
    target = parser.parse_args().build
    sources_only.begin()
    from lineman_site import api_pages  # imports the package

    try:
        if Staging(ROOT, target / "site-source").write_all(dict(api_pages.pages())):
            shutil.rmtree(target / "site-doctrees", ignore_errors=True)
    except (TranslationError, PictureError, PlotError) as error:
        print(f"docs: {error}", file=sys.stderr)
        return 1
    status = build(target / "site-source", target / "site-doctrees", target / "site")
    for line in translations.report(ROOT / "docs"):
        print(f"docs: {line}")
    if not status:
        print(f"docs: {target / 'site' / 'index.html'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
