#!/usr/bin/env python3
"""A routing policy in Python: a tree of little price on which every destination's delay stays below a bound.

    bellini sim scenarios/policies/exec.json

The program reads one question a line and writes one answer a line (docs/policies.md, "In any language"). It needs nothing but
Python's standard library.
"""

import heapq
import json
import sys


def cheapest(links, source, target, max_delay_ms, paid):
    """Returns the nodes of the cheapest path from `source` to `target` within the bound, or None.

    Links in `paid` cost nothing: the tree has them already, and a packet crosses them once.
    """
    outgoing = {}
    for link in links:
        outgoing.setdefault(link["from"], []).append(link)
    # Labels are (price, delay, nodes); a node keeps those that no other beats in both.
    best = {}
    queue = [(0.0, 0.0, [source])]
    while queue:
        price, delay, nodes = heapq.heappop(queue)
        here = nodes[-1]
        if here == target:
            return nodes
        if any(p <= price and d <= delay for p, d in best.get(here, [])):
            continue
        best.setdefault(here, []).append((price, delay))
        for link in outgoing.get(here, []):
            later = delay + link["delay_ms"]
            if link["to"] not in nodes and later <= max_delay_ms:
                is_paid = (here, link["to"]) in paid
                dearer = price + (0.0 if is_paid else link["usd_per_gb"] or 0.0)
                heapq.heappush(queue, (dearer, later, nodes + [link["to"]]))
    return None


def text(tree, node, targets):
    """Writes what `node` does with a packet as a route's text: `3>{2d,4d}`."""
    own = f"{node}d" if node in targets else f"{node}"
    below = [text(tree, child, targets) for child in tree.get(node, [])]
    if not below:
        return own
    return own + ">" + (below[0] if len(below) == 1 else "{" + ",".join(below) + "}")


def routes(question):
    """Answers a question for routes with one route: a tree to all destinations."""
    bound = question["parameters"].get("max_delay_ms", 200.0)
    source, targets = question["source"], question["destinations"]
    paid, tree = set(), {}
    for target in targets:
        nodes = cheapest(question["view"]["links"], source, target, bound, paid)
        if nodes is None:
            return {"error": f"no path from node {source} to node {target} within {bound} ms"}
        for link in zip(nodes, nodes[1:]):
            # A node that is in the tree already keeps its way there.
            if link not in paid and not any(link[1] in below for below in tree.values()):
                paid.add(link)
                tree.setdefault(link[0], []).append(link[1])
    branches = [text(tree, child, targets) for child in tree[source]]
    return {"routes": [{"route": branches[0] if len(branches) == 1 else "{" + ",".join(branches) + "}"}]}


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
