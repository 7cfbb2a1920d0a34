//! The slope of the lowest points of a cloud.

/// Returns the slope of the line that lies under all points, touches them, and has the least sum of distances to
/// them: the edge of their lower convex hull over the mean of their abscissas. It is the linear programme of Moon,
/// Skelly and Towsley ("Estimation and Removal of Clock Skew from Network Delay Measurements", INFOCOM 1999), solved
/// by the hull; points that queues lifted do not bend it.
///
/// `points`: (x, y), x rising. `None` with fewer than two of them.
pub(super) fn slope_under(points: &[(f64, f64)]) -> Option<f64> {
    if points.len() < 2 {
        return None;
    }
    let mut hull: Vec<(f64, f64)> = Vec::with_capacity(points.len());
    for &point in points {
        while let [.., before, last] = hull[..] {
            // The last one stays only if the way turns upwards at it.
            let turn =
                (last.0 - before.0) * (point.1 - before.1) - (last.1 - before.1) * (point.0 - before.0);
            if turn > 0.0 {
                break;
            }
            hull.pop();
        }
        hull.push(point);
    }
    let mean = points.iter().map(|point| point.0).sum::<f64>() / points.len() as f64;
    let edge = hull.windows(2).find(|edge| edge[1].0 >= mean).or_else(|| hull.windows(2).last())?;
    Some((edge[1].1 - edge[0].1) / (edge[1].0 - edge[0].0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn what_queues_lift_does_not_bend_the_line() {
        // Slope 0.25, one point in four on the line, the others up to 50 above it.
        let mut stream = Seed(4).stream("lifted");
        let points: Vec<(f64, f64)> = (0..64)
            .map(|i| {
                let lift = if i % 4 == 0 { 0.0 } else { 50.0 * stream.unit() };
                (f64::from(i), 7.0 + 0.25 * f64::from(i) + lift)
            })
            .collect();
        let slope = slope_under(&points).expect("64 points");
        assert!((slope - 0.25).abs() < 1e-12, "{slope}");
    }

    #[test]
    fn one_point_has_no_slope() {
        assert_eq!(slope_under(&[(1.0, 2.0)]), None);
        assert_eq!(slope_under(&[(1.0, 2.0), (3.0, 1.0)]), Some(-0.5));
    }
}
