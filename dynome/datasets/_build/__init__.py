"""Scripts that a maintainer runs to make the tables in ``_data``; nothing here is imported by the package."""
