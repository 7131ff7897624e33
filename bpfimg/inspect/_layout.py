"""Where the nodes of a graph go: columns from left to right, few crossings, no overlaps; the same every time.

The method is Sugiyama's: cycles are broken, each node gets a column by its longest way from the left, long edges get
a bend in every column they pass, and each column is sorted by where its neighbours are. No function recurses, and
rounds are counted, so that any graph takes time in proportion to its size.
"""

from __future__ import annotations

from itertools import pairwise

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Edges = Sequence[tuple[int, int]]
    Size = tuple[float, float]

_ROUNDS = 12
_BENDS_MAX = 5000
_GAP_X, _GAP_Y, _BEND = 72.0, 14.0, 6.0
_FAR = 1e9


@value(frozen=True, slots=True)
class Layout:
    """`places` are the upper left corners of the nodes; `ways` the points that each edge passes, ends included."""

    places: tuple[tuple[float, float], ...]
    ways: tuple[tuple[tuple[float, float], ...], ...]
    width: float
    height: float


def layout(sizes: Sequence[Size], edges: Edges, columns: Mapping[int, int], rooms: Sequence[float] = ()) -> Layout:
    """Places nodes of these sizes (width, height); `columns` moves nodes to a column at least that far right.

    A column of -1 is the last one of all. `rooms` say of each edge how much room it takes where it begins, beside the
    column of its source.
    """
    forward = _without_cycles(len(sizes), edges)
    column = _columns(len(sizes), forward, columns)
    points, chains = _bends(column, edges)
    boxes = [*sizes, *((0.0, _BEND) for _ in range(len(points) - len(sizes)))]
    order = _ordered(points, [step for chain in chains for step in _steps(chain)])
    tops = _tops(order, boxes, [step for chain in chains for step in _steps(chain)])
    widths = [max((boxes[n][0] for n in each), default=0.0) for each in order]
    gaps = _gaps(column, edges, rooms, len(widths))
    lefts = [sum(widths[:n]) + sum(gaps[:n]) for n in range(len(widths))]
    places = [(lefts[points[n]], tops[n]) for n in range(len(points))]
    ways = tuple(tuple(_way(chain, places, boxes, widths, points)) for chain in chains)
    height = max((places[n][1] + boxes[n][1] for n in range(len(points))), default=0.0)
    return Layout(tuple(places[: len(sizes)]), ways, sum(widths) + sum(gaps), height)


def _gaps(column: Sequence[int], edges: Edges, rooms: Sequence[float], count: int) -> list[float]:
    """The room behind each column but the last."""
    gaps = [_GAP_X] * max(count - 1, 0)
    for (source, target), room in zip(edges, rooms, strict=False):
        behind = column[source] if column[target] >= column[source] else column[source] - 1
        if 0 <= behind < len(gaps):
            gaps[behind] = max(gaps[behind], room)
    return gaps


def _steps(chain: Sequence[int]) -> list[tuple[int, int]]:
    return list(pairwise(chain))


def _without_cycles(count: int, edges: Edges) -> list[tuple[int, int]]:
    """The edges without those that lead back to a node which a walk from its beginning is still on."""
    following: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        following[source].append(target)
    state = [0] * count  # 0 not seen, 1 on the way, 2 done
    kept = []
    for start in range(count):
        if state[start]:
            continue
        state[start] = 1
        pending = [(start, iter(following[start]))]
        while pending:
            node, left = pending[-1]
            target = next(left, -1)
            if target < 0:
                state[node] = 2
                pending.pop()
            elif state[target] != 1:
                kept.append((node, target))
                if not state[target]:
                    state[target] = 1
                    pending.append((target, iter(following[target])))
    return kept


def _columns(count: int, edges: Edges, least: Mapping[int, int]) -> list[int]:
    """The longest way to each node, counted in edges."""
    incoming = [0] * count
    following: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        following[source].append(target)
        incoming[target] += 1
    column = [max(least.get(node, 0), 0) for node in range(count)]
    ready = [node for node in range(count) if not incoming[node]]
    while ready:
        node = ready.pop()
        for target in following[node]:
            column[target] = max(column[target], column[node] + 1)
            incoming[target] -= 1
            if not incoming[target]:
                ready.append(target)
    last = max((column[node] for node in range(count) if least.get(node) != -1), default=-1) + 1
    return [max(last, 0) if least.get(node) == -1 else column[node] for node in range(count)]


def _bends(column: Sequence[int], edges: Edges) -> tuple[list[int], list[tuple[int, ...]]]:
    """Columns of all points (nodes, then bends), and for each edge the points that it passes, from its source on."""
    points = list(column)
    chains = []
    for source, target in edges:
        low, high = column[source], column[target]
        between: list[int] = []
        if abs(high - low) > 1 and len(points) - len(column) < _BENDS_MAX:
            for position in range(low + 1, high) if high > low else range(low - 1, high, -1):
                between.append(len(points))
                points.append(position)
        chains.append((source, *between, target))
    return points, chains


def _ordered(points: Sequence[int], steps: Edges) -> list[list[int]]:
    """The points of each column from top to bottom: sorted, again and again, by the middle of their neighbours."""
    order: list[list[int]] = [[] for _ in range(max(points, default=-1) + 1)]
    for node, column in enumerate(points):
        order[column].append(node)
    neighbours = _neighbours(points, steps)
    best, fewest = [list(each) for each in order], _crossings(order, points, steps)
    for number in range(_ROUNDS):
        side = number % 2  # from left to right, then back
        columns = range(len(order)) if not side else range(len(order) - 1, -1, -1)
        rank = {node: float(at) for each in order for at, node in enumerate(each)}
        for column in columns:
            weights = {}
            for at, node in enumerate(order[column]):
                near, alone = neighbours[side][node], not neighbours[1 - side][node]
                # what nothing leads to or from stands last
                weights[node] = sum(rank[other] for other in near) / len(near) if near else _FAR if alone else float(at)
            order[column].sort(key=weights.__getitem__)
            rank.update({node: float(at) for at, node in enumerate(order[column])})
        crossings = _crossings(order, points, steps)
        if crossings < fewest:
            best, fewest = [list(each) for each in order], crossings
        if not fewest:
            break
    return best


def _neighbours(points: Sequence[int], steps: Edges) -> tuple[list[list[int]], list[list[int]]]:
    """Of each point those to the left, and those to the right."""
    left: list[list[int]] = [[] for _ in points]
    right: list[list[int]] = [[] for _ in points]
    for source, target in steps:
        first, second = (source, target) if points[source] <= points[target] else (target, source)
        right[first].append(second)
        left[second].append(first)
    return left, right


def _crossings(order: Sequence[Sequence[int]], points: Sequence[int], steps: Edges) -> int:
    """How often lines between neighbouring columns cross: inversions, counted with a tree of sums."""
    rank = {node: at for each in order for at, node in enumerate(each)}
    between: list[list[tuple[int, int]]] = [[] for _ in order]
    for source, target in steps:
        first, second = (source, target) if points[source] < points[target] else (target, source)
        if points[second] == points[first] + 1:
            between[points[first]].append((rank[first], rank[second]))
    return sum(_inversions([low for _, low in sorted(lines)], size=len(rank) + 1) for lines in between)


def _inversions(numbers: Sequence[int], size: int) -> int:
    tree = [0] * (size + 1)
    total = 0
    for seen, number in enumerate(numbers):
        not_above, at = 0, number + 1
        while at:
            not_above += tree[at]
            at &= at - 1
        total += seen - not_above
        at = number + 1
        while at <= size:
            tree[at] += 1
            at += at & -at
    return total


def _tops(order: Sequence[Sequence[int]], boxes: Sequence[Size], steps: Edges) -> list[float]:
    """The upper edge of each point: near the middle of its neighbours, in its column's order, without overlaps."""
    column = {node: number for number, each in enumerate(order) for node in each}
    left, right = _neighbours([column[node] for node in range(len(boxes))], steps)
    tops = [0.0] * len(boxes)
    joined = [[node for node in each if left[node] or right[node]] for each in order]
    for each in joined:
        _settle(each, dict.fromkeys(each, 0.0), boxes, tops)
    for number in range(_ROUNDS):
        for part in joined if number % 2 == 0 else joined[::-1]:
            wanted = {}
            for node in part:
                near = left[node] + right[node] if number > 1 else (left if number % 2 == 0 else right)[node]
                centres = [tops[other] + boxes[other][1] / 2 for other in near]
                wanted[node] = sum(centres) / len(centres) - boxes[node][1] / 2 if centres else tops[node]
            _settle(part, wanted, boxes, tops)
    highest = min((tops[node] for each in joined for node in each), default=0.0)
    for whole, linked in zip(order, joined, strict=True):
        end = tops[linked[-1]] + boxes[linked[-1]][1] + _GAP_Y if linked else highest
        for node in whole:
            if not left[node] and not right[node]:
                tops[node] = end
                end += boxes[node][1] + _GAP_Y
    return [top - highest for top in tops]


def _settle(column: Sequence[int], wanted: Mapping[int, float], boxes: Sequence[Size], tops: list[float]) -> None:
    """Puts the points of a column as near to where they want to be as their order and gaps allow (least squares)."""
    distance, offsets = 0.0, []
    for node in column:
        offsets.append(distance)
        distance += boxes[node][1] + _GAP_Y
    blocks: list[tuple[float, int]] = []  # mean of what its points want, how many points: pooled until they ascend
    for node, offset in zip(column, offsets, strict=True):
        mean, count = wanted[node] - offset, 1
        while blocks and blocks[-1][0] >= mean:
            before, number = blocks.pop()
            mean, count = (before * number + mean * count) / (number + count), number + count
        blocks.append((mean, count))
    at = 0
    for mean, count in blocks:
        for node, offset in zip(column[at : at + count], offsets[at : at + count], strict=True):
            tops[node] = mean + offset
        at += count


def _way(
    chain: Sequence[int],
    places: Sequence[tuple[float, float]],
    boxes: Sequence[Size],
    widths: Sequence[float],
    points: Sequence[int],
) -> list[tuple[float, float]]:
    """From the right side of the source, through both sides of the columns between, to the left side of the target."""
    source, *between, target = chain
    back = points[target] < points[source]
    found = [(places[source][0] + (0.0 if back else boxes[source][0]), places[source][1] + boxes[source][1] / 2)]
    for bend in between:
        left, top = places[bend]
        sides = [(left, top + _BEND / 2), (left + widths[points[bend]], top + _BEND / 2)]
        found += sides[::-1] if back else sides
    found.append((places[target][0] + (boxes[target][0] if back else 0.0), places[target][1] + boxes[target][1] / 2))
    return found
