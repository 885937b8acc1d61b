"""Lines of a Chinese page are joined where a space would be shown inside a sentence."""

from __future__ import annotations

import pytest

from lineman_site import chinese_lines


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("第一行，\n第二行", "第一行，第二行"),
        ("第一\n行", "第一行"),
        ("- 项目，\n  接着", "- 项目，接着"),
        ("第一行，\n`code` 之后", "第一行，`code` 之后"),
        ("请见\n[第二页](b.md)", "请见[第二页](b.md)"),
        ("请见。\n**重要**", "请见。**重要**"),
    ],
)
def test_a_line_goes_on_without_a_space(text: str, joined: str) -> None:
    assert chinese_lines.join(text) == joined


@pytest.mark.parametrize(
    "text",
    [
        "第一行\nnginx 的一行",
        "in English\nand more",
        "第一段。\n\n第二段",
        "- 第一项。\n- 第二项",
        "- 第一项。\n* 第二项",
        "步骤：\n1. 第一步",
        "标题。\n## 第二",
        "表格：\n| 一 | 二 |\n|---|---|\n| 三 | 四 |",
        "代码：\n```\n# 注释，\n第二行\n```",
        "```python\n# 注释，\n# 第二行，\n字 = 1\n```",
        "注意：\n:::{warning}\n改动。\n:::",
        "# 标题",
    ],
)
def test_other_lines_stay(text: str) -> None:
    assert chinese_lines.join(text) == text
