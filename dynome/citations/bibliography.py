"""Papers by identifier: a DOI or an arXiv number in a text, and the BibTeX entry for it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_doi = re.compile(r"\b10\.\d{4,9}/[^\s`\"',|\[\]{}]+")
_arxiv = re.compile(r"\barxiv[:.]\s?(\d{4}\.\d{4,5})", re.IGNORECASE)
_entry = re.compile(r"^@\w+\{(?P<key>\w+),\n(?:  .*\n)+\}$", re.MULTILINE)
_field = re.compile(r"^  (?:doi|eprint) = \{(.+)\},$", re.MULTILINE)
_numbered = re.compile(r"^\.\. \[\d+\] (.+?)(?=^\.\. \[|^\s*$|\Z)", re.MULTILINE | re.DOTALL)


def identifiers(text: str) -> list[str]:
    """DOIs and arXiv numbers that a text names, in its order.

    Parameters
    ----------
    text : str
        Prose, a docstring or an attribute.

    Returns
    -------
    list of str
        Each once; DOIs in lower case, as they are compared, and arXiv numbers as ``arxiv:2310.15263``, also where the
        text has the DOI that arXiv gives.

    Examples
    --------
    >>> identifiers("Li et al. 2024 (arXiv:2310.15263), after Escola et al., doi:10.1162/NECO_a_00118.")
    ['10.1162/neco_a_00118', 'arxiv:2310.15263']
    """
    dois = [_whole(found).lower() for found in _doi.findall(text)]
    numbers = [f"arxiv:{number}" for number in _arxiv.findall(text)]
    return list(dict.fromkeys([doi for doi in dois if not _arxiv.search(doi)] + numbers))


def unidentified(docstring: str) -> list[str]:
    r"""Numbered references of a docstring that have neither a DOI nor an arXiv number, such as books.

    Parameters
    ----------
    docstring : str
        In the layout of numpydoc.

    Returns
    -------
    list of str
        Each on one line.

    Examples
    --------
    >>> unidentified(".. [1] Box & Jenkins,\n   Time Series Analysis.\n.. [2] Viterbi, doi:10.1109/TIT.1967.1054010.")
    ['Box & Jenkins, Time Series Analysis.']
    """
    references = [" ".join(text.split()) for text in _numbered.findall(docstring)]
    return [text for text in references if not identifiers(text)]


@cache
def entries() -> dict[str, str]:
    """The carried BibTeX entries by what `identifiers` calls them.

    Examples
    --------
    >>> print(entries()["10.1109/tit.1967.1054010"].splitlines()[0])
    @article{viterbi1967,
    """
    text = Path(__file__).with_name("references.bib").read_text(encoding="utf-8")
    return {_identifier(match.group()): match.group() for match in _entry.finditer(text)}


def entry(identifier: str) -> str:
    """BibTeX for one identifier; where the paper is not carried, all that is known: its address.

    Parameters
    ----------
    identifier : str
        As `identifiers` gives it.

    Examples
    --------
    >>> print(entry("10.5555/unheard-of"))
    @misc{doi_10_5555_unheard_of,
      doi = {10.5555/unheard-of},
      url = {https://doi.org/10.5555/unheard-of},
    }
    """
    if (known := entries().get(identifier)) is not None:
        return known
    number = identifier.removeprefix("arxiv:")
    field, site = ("doi", "https://doi.org/") if number == identifier else ("eprint", "https://arxiv.org/abs/")
    key = re.sub(r"\W+", "_", f"{field}_{number}")
    return f"@misc{{{key},\n  {field} = {{{number}}},\n  url = {{{site}{number}}},\n}}"


def note(reference: str) -> str:
    r"""BibTeX for a reference that is known by its text alone.

    Parameters
    ----------
    reference : str
        As `unidentified` gives it.

    Examples
    --------
    >>> print(note("Box & Jenkins, Time Series Analysis, section 11.1."))
    @misc{box_jenkins_time_series,
      note = {Box \& Jenkins, Time Series Analysis, section 11.1.},
    }
    """
    words = re.findall(r"[A-Za-z]\w+", reference)[:4]
    escaped = re.sub(r"([&%#_$])", r"\\\1", reference.replace("``", ""))
    return f"@misc{{{'_'.join(words).lower()},\n  note = {{{escaped}}},\n}}"


def _whole(doi: str) -> str:
    """A DOI without the punctuation of the sentence that it stands in."""
    while doi and (doi[-1] in ".,;:*" or (doi[-1] in ")>" and not _balanced(doi))):
        doi = doi[:-1]
    return doi


def _balanced(text: str) -> bool:
    return text.count("(") == text.count(")") and text.count("<") == text.count(">")


def _identifier(text: str) -> str:
    found = _field.findall(text)[0]
    return f"arxiv:{found}" if re.fullmatch(r"\d{4}\.\d{4,5}", found) else found.lower()
