#!/usr/bin/env python3
"""A routing policy in Python: a tree of little price on which every destination's delay stays below a bound.

    bellini sim scenarios/policies/exec.json

The program reads one question a line and writes one answer a line (docs/policies.md, "In any language"). It needs nothing but
Python's standard library.
"""

import heapq
import json
import sys


def cheapest(links, tree, target, max_delay_ms):
    """Returns the cheapest way from anywhere in the tree to `target` within the bound, or None.

    A way is the nodes from the source on. `tree` has the delay of each that is there already: a packet crosses these links in
    any case, so that they cost nothing more.
    """
    outgoing = {}
    for link in links:
        outgoing.setdefault(link["from"], []).append(link)
    # Labels are (price, delay, way); a node keeps those that no other beats in both.
    queue = [(0.0, delay, way) for way, delay in tree.items()]
    heapq.heapify(queue)
    best = {}
    while queue:
        price, delay, way = heapq.heappop(queue)
        here = way[-1]
        if here == target:
            return way
        if any(p <= price and d <= delay for p, d in best.get(here, [])):
            continue
        best.setdefault(here, []).append((price, delay))
        for link in outgoing.get(here, []):
            later = delay + link["delay_ms"]
            if link["to"] not in way and later <= max_delay_ms:
                heapq.heappush(queue, (price + (link["usd_per_gb"] or 0.0), later, way + (link["to"],)))
    return None


def text(ways, targets, here):
    """Writes what the node at the end of the way `here` does with a packet as a route's text: `3>{2d,4d}`."""
    below = sorted(way for way in ways if way[:-1] == here)
    branches = [text(ways, targets, way) for way in below]
    own = f"{here[-1]}d" if here in targets else f"{here[-1]}"
    if not branches:
        return own
    return own + ">" + (branches[0] if len(branches) == 1 else "{" + ",".join(branches) + "}")


def routes(question):
    """Answers a question for routes with one route: a tree to all destinations."""
    bound = question["parameters"].get("max_delay_ms", 200.0)
    source, rate = question["source"], question["rate_bps"] or 0
    # Links that are too narrow for the stream alone are left out. What other sessions want is in view.sessions.
    links = [link for link in question["view"]["links"] if link["rate_bps"] is None or link["rate_bps"] > rate]
    delays = {(link["from"], link["to"]): link["delay_ms"] for link in links}
    tree, targets = {(source,): 0.0}, set()
    for target in question["destinations"]:
        way = cheapest(links, tree, target, bound)
        if way is None:
            return {"error": f"no path from node {source} to node {target} within {bound} ms"}
        targets.add(way)
        for end in range(2, len(way) + 1):
            tree[way[:end]] = tree[way[: end - 1]] + delays[way[end - 2], way[end - 1]]
    # From the source on, which is not written.
    return {"routes": [{"route": text(tree, targets, (source,)).split(">", 1)[1]}]}


def main():
    for line in sys.stdin:
        question = json.loads(line)
        if question["ask"] == "routes":
            answer = routes(question)
        else:
            answer = {"shares": [1.0 for _ in question["routes"]]}
        print(json.dumps({"id": question["id"], **answer}), flush=True)


if __name__ == "__main__":
    main()
