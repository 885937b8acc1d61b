"""Builds the site from docs/: `make docs`. See docs/design/0103-the-site.md."""
