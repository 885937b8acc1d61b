"""The search of the Chinese site: jieba splits the pages, and the browser splits what readers type.

Sphinx splits a page into words, and a query only where it has spaces, which Chinese has not. And
it names its stemmer after the language in a way that no browser finds (seen with Sphinx 9.0).
"""

from __future__ import annotations

from sphinx.search.zh import SearchChinese

# Of a run of Chinese characters, the longest words that are in the index. Others are left out,
# since a page must have every word; a run without any known word is searched for as it is.
_SPLITTER = r"""
function splitQuery(query) {
  const known = (word) =>
    Object.hasOwn(Search._index.terms, word) || Object.hasOwn(Search._index.titleterms, word);
  const words = [];
  for (const run of query.match(/\p{Script=Han}+|((?!\p{Script=Han})[\p{L}\p{N}_])+/gu) || []) {
    const found = [];
    for (let begin = 0; begin < run.length; ) {
      let end = /\p{Script=Han}/u.test(run) ? run.length : 0;
      while (end > begin && !known(run.slice(begin, end))) end--;
      if (end > begin) found.push(run.slice(begin, end));
      begin = Math.max(end, begin + 1);
    }
    words.push(...(found.length ? found : [run]));
  }
  return words;
}
"""


class ChineseSearch(SearchChinese):
    """Sphinx's, with a stemmer that browsers find, and words in queries."""

    language_name = "English"  # whose stemmer it has
    js_splitter_code = _SPLITTER
