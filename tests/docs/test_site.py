"""The site builds without a warning, and shows without another host."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOADED = re.compile(r'<(?:script|img|source|iframe)[^>]+src="(?P<src>[^"]+)"|<link[^>]+href="(?P<href>[^"]+)"')


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder


def test_no_page_loads_anything_from_another_host(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        for match in LOADED.finditer(page.read_text()):
            address = match["src"] or match["href"]
            assert not address.startswith(("http:", "https:", "//")), f"{page.name} loads {address}"


def test_the_generator_and_the_examples_are_no_pages(site):
    assert not list(site.rglob("generate.py"))
    assert not (site / "examples").exists()


def test_no_page_has_an_include_left(site):
    assert not [page.name for page in site.rglob("*.html") if "--8&lt;--" in page.read_text()]
