"""The languages of the site, and the lines that the build writes in each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Language:
    """One language.

    Attributes:
        code: the name of its directory below docs/; `en` for docs/ itself.
        name: what its readers call it.
        sphinx: Sphinx's name of it, for buttons and the search.
        changed: the line on a page whose original has changed since; `{original}` is its address.
        same_page: the words before the links to the same page in other languages.
        words: of the theme and the search, where Sphinx has no translation; a number of pages found
            has a list of one text.
    """

    code: str
    name: str
    sphinx: str
    changed: str
    same_page: str
    words: Mapping[str, str | list[str]] = field(default_factory=dict)


ENGLISH = Language("en", "English", "en", "", "This page in other languages:")
VIETNAMESE = Language(
    "vi",
    "Tiếng Việt",
    "vi",
    "Bản tiếng Anh của trang này đã thay đổi sau khi trang được dịch. Nếu hai bản khác nhau, "
    "hãy theo [bản tiếng Anh]({original}).",
    "Trang này bằng ngôn ngữ khác:",
    {
        "On this page": "Trên trang này",
        "Next": "Trang sau",
        "Previous": "Trang trước",
        "Home": "Trang đầu",
        "Back to top": "Về đầu trang",
        "Search": "Tìm kiếm",
        "Searching": "Đang tìm",
        "Preparing search...": "Đang chuẩn bị tìm kiếm…",
        "Search Results": "Kết quả tìm kiếm",
        "Search finished, found one page matching the search query.": [
            "Đã tìm xong: ${resultCount} trang."
        ],
        "Your search did not match any documents. Please make sure that all words are spelled "
        "correctly and that you've selected enough categories.": "Không trang nào có các từ này.",
        "Hide Search Matches": "Bỏ tô sáng",
    },
)
CHINESE = Language(
    "zh",
    "中文",
    "zh_CN",
    "本页翻译之后，英文原文有改动。两者不一致时，请以[英文版]({original})为准。",
    "本页的其他语言版本：",
    {
        "On this page": "本页内容",
        "Next": "下一页",
        "Previous": "上一页",
        "Home": "首页",
        "Back to top": "回到顶部",
    },
)
TRANSLATED = {each.code: each for each in (VIETNAMESE, CHINESE)}
LANGUAGES = {ENGLISH.code: ENGLISH, **TRANSLATED}
