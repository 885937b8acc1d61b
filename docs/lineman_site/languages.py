"""The languages of the site, and the lines that the build writes in each of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    """One language.

    Attributes:
        code: the name of its directory below docs/; `en` for docs/ itself.
        name: what its readers call it.
        sphinx: Sphinx's name of it, for buttons and the search.
        changed: the line on a page whose original has changed since; `{original}` is its address.
        same_page: the words before the links to the same page in other languages.
    """

    code: str
    name: str
    sphinx: str
    changed: str
    same_page: str


ENGLISH = Language("en", "English", "en", "", "This page in other languages:")
VIETNAMESE = Language(
    "vi",
    "Tiếng Việt",
    "vi",
    "Bản tiếng Anh của trang này đã thay đổi sau khi trang được dịch. Nếu hai bản khác nhau, "
    "hãy theo [bản tiếng Anh]({original}).",
    "Trang này bằng ngôn ngữ khác:",
)
CHINESE = Language(
    "zh",
    "中文",
    "zh_CN",
    "本页翻译之后，英文原文有改动。两者不一致时，请以[英文版]({original})为准。",
    "本页的其他语言版本：",
)
TRANSLATED = {each.code: each for each in (VIETNAMESE, CHINESE)}
LANGUAGES = {ENGLISH.code: ENGLISH, **TRANSLATED}
