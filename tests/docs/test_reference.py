import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)


@pytest.mark.parametrize("path", generate.pages(), ids=lambda path: path.name)
def test_generated_parts_are_up_to_date(path):
    assert generate.generated(path.read_text()) == path.read_text(), "run `python docs/generate.py`"


def test_every_generated_part_stands_on_a_page():
    text = "".join(path.read_text() for path in generate.pages())
    assert all(f"<!-- generated: {name} -->" in text for name in generate.PARTS)
