"""How the documentation is built: `sphinx-build -W --keep-going -b html docs docs/_build/html`."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]  # modules beside this file, and those of benchmarks/

import members  # noqa: E402 - beside this file
import pictures  # noqa: E402
import tables  # noqa: E402
from numpydoc.xref import DEFAULT_LINKS  # noqa: E402

import skimbalance  # noqa: E402

pictures.draw_all(DOCS / "_generated")
tables.write_all(DOCS / "_generated")

project = "skimbalance"
author = "The skimbalance developers"
project_copyright = author
version = release = skimbalance.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "mathml",  # beside this file
    "message_anchors",
    "paper_links",
]
exclude_patterns = ["_build", "_generated", "_templates"]
templates_path = ["_templates"]

myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath"]
html_math_renderer = "mathml"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
smartquotes = False  # text holds code
default_role = "literal"

autodoc_typehints = "none"  # the docstrings state them
autosummary_generate = True
autosummary_context = {"methods_by_class": members.methods_by_class()}
numpydoc_show_class_members = False  # the templates list them
DEFAULT_LINKS.clear()  # a link on each `str` and `int` would hide those that help
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"  # but these
numpydoc_xref_aliases = {
    "Axes": "matplotlib.axes.Axes",
    "Figure": "matplotlib.figure.Figure",
    "Legend": "matplotlib.legend.Legend",
    "Line2D": "matplotlib.lines.Line2D",
    "RandomState": "numpy.random.RandomState",
    "ndarray": "numpy.ndarray",
}
python_maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"

# Names that the documentation refers to and their places, as text in this folder: the build needs no network.
intersphinx_mapping = {
    "matplotlib": ("https://matplotlib.org/stable/", "inventories/matplotlib.txt"),
    "numpy": ("https://numpy.org/doc/stable/", "inventories/numpy.txt"),
    "scipy": ("https://docs.scipy.org/doc/scipy/", "inventories/scipy.txt"),
    "sklearn": ("https://scikit-learn.org/stable/", "inventories/sklearn.txt"),
}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_",
    "ignore_pattern": r"(^|[\\/])(?!plot_)[^\\/]*\.py$",
    "within_subsection_order": "gallery_order.ByInterest",
    "backreferences_dir": "gallery/backreferences",
    "doc_module": ("skimbalance",),
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "skimbalance"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_js_files = ["enlarge.js"]
html_copy_source = html_show_sourcelink = html_show_copyright = False
html_sidebars = {"**": ["every-page"]}
html_theme_options = {
    "navbar_center": [],
    "navbar_persistent": ["search-button", "theme-switcher"],  # phones have these too
    "navbar_end": [],
    "logo": {"text": f"skimbalance {version}"},
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["theme-version"],
    "footer_end": [],
    "show_prev_next": True,
}
