"""Sphinx's configuration for one language of the site."""

import json
import os
from gettext import NullTranslations
from typing import Any

from sphinx.application import Sphinx

from lineman.base.version import VERSION
from lineman_site.languages import LANGUAGES
from lineman_site.lexers import add_lexers

_language = LANGUAGES[os.environ.get("LINEMAN_SITE_LANGUAGE", "en")]

project = "Lineman"
project_copyright = "the authors of Lineman"
version = release = VERSION
language = _language.sphinx
extensions = ["myst_parser"]
root_doc = "index"
exclude_patterns = ["files/**"]

myst_heading_anchors = 6
myst_enable_extensions = ["colon_fence", "attrs_block"]
# These lead to a page, or to a part of one, of another language's site; see addresses.py.
myst_url_schemes = {
    "http": None,
    "https": None,
    "mailto": None,
    "site": "{{path}}",
    "sitepart": "{{path}}#{{fragment}}",
}

html_theme = "furo"
html_title = f"Lineman {VERSION}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
# Sphinx has no rules for Vietnamese, whose words have no endings; its own name for that is English.
html_search_language = {"zh_CN": "zh"}.get(language, "en")
html_theme_options = {"navigation_with_keys": True}


class _Words(NullTranslations):
    """What the theme's pages say, where Sphinx has no translation."""

    def gettext(self, message: str) -> str:
        word = _language.words.get(message, message)
        return word if isinstance(word, str) else message


def _add_words(app: Sphinx) -> None:
    app.translator.add_fallback(_Words())


def _add_words_of_the_search(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """The search runs in the browser, and has its words there."""
    if page == "search" and _language.words:
        catalog = {"messages": _language.words, "locale": _language.code, "plural_expr": "0"}
        app.add_js_file(None, body=f"Documentation.addTranslations({json.dumps(catalog)})")


def setup(app: Sphinx) -> None:
    """What Sphinx has no setting for."""
    add_lexers(app)
    app.connect("builder-inited", _add_words)
    app.connect("html-page-context", _add_words_of_the_search)
    if html_search_language == "zh":
        # It splits Chinese words. Its cache would lie in /tmp, where any user may write it.
        import jieba

        jieba.setLogLevel("WARNING")
        jieba.dt.tmp_dir = str(app.doctreedir)
        from lineman_site.chinese_search import ChineseSearch

        app.add_search_language(ChineseSearch)
