"""Notebooks as pages of the site, with the outputs that are committed in them (mkdocs' `hooks`).

nbconvert turns each into Markdown at build time, so there is no second copy to keep, and the page
asks no other server for scripts. In the sources links go to the notebook, which a forge shows by
itself.
"""

import re
from pathlib import Path
from typing import Any

_LINK = re.compile(r"(\]\([^)\s]*)\.ipynb(#[^)]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Put a generated page and its pictures in the place of each notebook."""
    from mkdocs.structure.files import File
    from nbconvert import MarkdownExporter

    for notebook in [one for one in files if one.src_uri.endswith(".ipynb")]:
        place = Path(notebook.src_uri)
        named = {"unique_key": place.stem, "output_files_dir": f"{place.stem}_files"}
        page, resources = MarkdownExporter().from_filename(
            notebook.abs_src_path, resources={**named}
        )
        files.remove(notebook)
        files.append(File.generated(config, str(place.with_suffix(".md")), content=page))
        for name, content in resources["outputs"].items():
            files.append(File.generated(config, str(place.parent / name), content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let links to a notebook lead to its page.

    >>> on_page_markdown("see [a picture](notebooks/ask.ipynb)")
    'see [a picture](notebooks/ask.md)'
    """
    return _LINK.sub(r"\1.md\2)", markdown)
