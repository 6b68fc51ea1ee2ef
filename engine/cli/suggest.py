"""The nearest known word to a mistyped one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def closest(word: str, known: Iterable[str]) -> str:
    """The known word with the fewest edits, if a slip of the finger could explain them; "" otherwise."""
    best, best_edits = "", max(1, len(word.lstrip("-")) // 3) + 1
    for candidate in known:
        if abs(len(candidate) - len(word)) >= best_edits:
            continue
        edits = edit_distance(word, candidate)
        if edits < best_edits:
            best, best_edits = candidate, edits
    return best


def edit_distance(left: str, right: str) -> int:
    """Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment)."""
    before: list[int] = []
    previous = list(range(len(right) + 1))
    for row, letter in enumerate(left, start=1):
        current = [row]
        for column, other in enumerate(right, start=1):
            cost = min(
                previous[column] + 1,
                current[column - 1] + 1,
                previous[column - 1] + (letter != other),
            )
            if row > 1 and column > 1 and letter == right[column - 2] and left[row - 2] == other:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        before, previous = previous, current
    return previous[-1]
