"""Hits that stand side by side in one section become one passage, in the order of the text.

Cut apart, the line that leads into a list and the list itself reach the model as strangers, and a
quote cannot run over the seam.
"""

from collections.abc import Sequence
from dataclasses import replace

from knowledge.search import Hit


def merge_neighbours(hits: Sequence[Hit]) -> list[Hit]:
    """The hits, best first, each run of neighbours as one: its best hit with the text of all.

    Neighbours have the same document and headings and follow each other without a gap.
    """
    runs: list[list[Hit]] = []
    for hit in sorted(hits, key=lambda hit: (hit.document_id, hit.position)):
        if runs and _follows(runs[-1][-1], hit):
            runs[-1].append(hit)
        else:
            runs.append([hit])
    merged = [
        replace(min(run, key=lambda hit: hit.rank), text="\n\n".join(hit.text for hit in run))
        for run in runs
    ]
    return sorted(merged, key=lambda hit: hit.rank)


def _follows(before: Hit, hit: Hit) -> bool:
    return (
        before.document_id == hit.document_id
        and before.position + 1 == hit.position
        and before.heading_path == hit.heading_path
    )
