//! Where the nodes of a tree stand: in columns by their distance from the source, with a place kept free in each column
//! that an edge passes.

/// An edge through the columns: where it starts, passes, and ends.
pub(super) type Way = Vec<(f64, f64)>;

/// Where everything is, in a box of one by one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    /// Nodes, by index.
    pub(super) nodes: Vec<(f64, f64)>,
    /// Ways of edges, by index: node, places in columns between, node.
    pub(super) ways: Vec<Way>,
    /// Number of columns.
    pub(super) columns: usize,
    /// Most places in one column.
    pub(super) rows: usize,
}

/// Places `count` nodes with `edges` between them.
pub(super) fn layout(count: usize, edges: &[(usize, usize)]) -> Layout {
    let depths = depths(count, edges);
    let columns = depths.iter().max().map_or(1, |deepest| deepest + 1);
    // Things that take a place: nodes first, then one for each column that an edge passes.
    let mut column_of = depths.clone();
    let mut chains: Vec<Vec<usize>> = Vec::new();
    for &(from, to) in edges {
        let (a, b) = (depths[from], depths[to]);
        let mut chain = vec![from];
        let passed: Vec<usize> = if a < b { (a + 1..b).collect() } else { (b + 1..a).rev().collect() };
        for column in passed {
            chain.push(column_of.len());
            column_of.push(column);
        }
        chain.push(to);
        chains.push(chain);
    }
    let mut order: Vec<Vec<usize>> = vec![Vec::new(); columns];
    for (thing, column) in column_of.iter().enumerate() {
        order[*column].push(thing);
    }
    let mut height = vec![0.5; column_of.len()];
    let place = |order: &[Vec<usize>], height: &mut [f64]| {
        for column in order {
            for (i, thing) in column.iter().enumerate() {
                height[*thing] = (i as f64 + 0.5) / column.len() as f64;
            }
        }
    };
    place(&order, &mut height);
    let pairs: Vec<(usize, usize)> =
        chains.iter().flat_map(|chain| chain.windows(2).map(|pair| (pair[0], pair[1]))).collect();
    for sweep in 0..8 {
        // Columns to the right follow those to their left, and the other way round, in turn.
        for column in &mut order {
            let mean = |thing: usize| {
                let near = pairs.iter().filter_map(|&(a, b)| match sweep % 2 {
                    0 => (b == thing).then(|| height[a]),
                    _ => (a == thing).then(|| height[b]),
                });
                let near: Vec<f64> = near.collect();
                if near.is_empty() { height[thing] } else { near.iter().sum::<f64>() / near.len() as f64 }
            };
            column.sort_by(|a, b| mean(*a).total_cmp(&mean(*b)));
        }
        place(&order, &mut height);
    }
    let x = |column: usize| if columns == 1 { 0.5 } else { column as f64 / (columns - 1) as f64 };
    let at = |thing: usize| (x(column_of[thing]), height[thing]);
    Layout {
        nodes: (0..count).map(at).collect(),
        ways: chains.iter().map(|chain| chain.iter().map(|thing| at(*thing)).collect()).collect(),
        columns,
        rows: order.iter().map(Vec::len).max().unwrap_or(1),
    }
}

/// Returns how many edges the longest way to each node has; circles are cut where they would lead back.
fn depths(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut depths = vec![0; count];
    let sources: Vec<usize> = (0..count).filter(|node| edges.iter().all(|edge| edge.1 != *node)).collect();
    let starts = if sources.is_empty() && count > 0 { vec![0] } else { sources };
    fn walk(node: usize, depth: usize, edges: &[(usize, usize)], on: &mut Vec<usize>, depths: &mut [usize]) {
        depths[node] = depths[node].max(depth);
        on.push(node);
        for &(from, to) in edges {
            if from == node && !on.contains(&to) && depth + 1 > depths[to] {
                walk(to, depth + 1, edges, on, depths);
            }
        }
        on.pop();
    }
    for start in starts {
        walk(start, 0, edges, &mut Vec::new(), &mut depths);
    }
    depths
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: a node stands right of all that lead to it, and an edge that skips a column does not pass through a node
    /// there.
    #[test]
    fn the_example_of_fig_3() {
        // 1 > 3 > {2, 4}; 1 > {2, 5 > 4}.
        let edges = [(0, 2), (2, 1), (2, 3), (0, 1), (0, 4), (4, 3)];
        let found = layout(5, &edges);
        assert_eq!((found.columns, found.rows), (3, 3));
        for (from, to) in edges {
            assert!(found.nodes[from].0 < found.nodes[to].0, "{from} to {to}");
        }
        let skipping = &found.ways[3];
        assert_eq!(skipping.len(), 3, "one place between: {skipping:?}");
        for node in [2, 4] {
            assert!(
                (skipping[1].1 - found.nodes[node].1).abs() > 0.2,
                "node {node} is in the way: {found:?}"
            );
        }
    }

    #[test]
    fn circles_and_nothing() {
        assert_eq!(layout(0, &[]).columns, 1);
        let found = layout(3, &[(0, 1), (1, 2), (2, 1)]);
        assert_eq!((found.columns, found.ways[2].len()), (3, 2));
    }
}
