"""`cite`: BibTeX for what stands behind objects."""

from __future__ import annotations

from typing import Any

from dynome._version import __version__
from dynome.citations.behind import texts_behind
from dynome.citations.bibliography import entry, identifiers, note, unidentified
from dynome.errors import InputError

_software = (
    "@software{dynome,\n"
    "  author = {{The dynome developers}},\n"
    "  title = {{dynome: connectomes and neural dynamics on one labelled data layer}},\n"
    "  year = {2026},\n"
    f"  version = {{{__version__}}},\n"
    "}"
)


def cite(*objects: Any) -> str:
    """BibTeX of the methods and data behind objects.

    Parameters
    ----------
    *objects : estimator, class, function, Dataset, DataArray, DataTree, batch results, Analysis, path or str
        Any number of: an estimator, fitted or not; a function or class of dynome; recordings, connectomes, studies
        and results; what `batch.map_sessions` or `pipelines.run_analysis` returned, or the folder of either; the path
        of a store; the name of a data set of `list_datasets`; a public name, such as ``"SwitchingGLM"``.

    Returns
    -------
    str
        Entries sorted by key, dynome itself first. A paper that dynome does not know, whose DOI stands in the
        attributes of your data, has an entry with its address alone; a reference without a DOI or an arXiv number, such
        as a book, is a ``@misc`` with its text.

    Raises
    ------
    InputError
        If there is no object, or nothing can be known about one.
    StoreError
        If a path holds no store.

    Notes
    -----
    The papers are those that docstrings, the registry of data sets and attributes of data name. What an estimator made
    knows its method; what a function returned does not: pass the function as well. A docstring names every paper that
    a method may rest on, whichever of its options you used: read the list before you cite it.

    Examples
    --------
    >>> from dynome.dynamics import HMM
    >>> print(cite(HMM))  # doctest: +ELLIPSIS
    @software{dynome,
    ...
    @article{vidaurre2017,
      author = {Vidaurre, Diego and Smith, Stephen M. and Woolrich, Mark W.},
    ...
    """
    if not objects:
        raise InputError("cite needs an object: an estimator, a function, data, a result or a path")
    texts = [text for obj in objects for text in texts_behind(obj)]
    known = {name: None for text in texts for name in identifiers(text)}
    others = {reference: None for text in texts for reference in unidentified(text)}
    papers = {*(entry(name) for name in known), *(note(reference) for reference in others)}
    return "\n\n".join([_software, *sorted(papers, key=_key)])


def _key(text: str) -> str:
    return text.partition("{")[2].partition(",")[0]
