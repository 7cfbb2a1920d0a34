//! Outlines of land.

/// Rings of Natural Earth's land at 1:110m, see `assets/README.md` for the format.
const LAND: &str = include_str!("../../assets/map/land-110m.txt");

/// What a ring encloses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Land.
    Land,
    /// Water within land.
    Water,
}

/// Returns all rings: points as (latitude, longitude) in degrees.
pub(crate) fn rings() -> impl Iterator<Item = (Kind, Vec<(f64, f64)>)> {
    LAND.lines().map(|line| {
        let kind = if line.starts_with('-') { Kind::Water } else { Kind::Land };
        let (mut lon, mut lat) = (0, 0);
        // The kind's sign is one byte before the first number.
        let points = line[1..].split(' ').map(|pair| {
            let (x, y) = pair.split_once(',').expect("each point has two parts");
            let east: i32 = x.parse().expect("the embedded map holds whole numbers");
            // A step over the 180th meridian goes on eastwards or westwards, not back around the world.
            lon += east - 3600 * ((east + 1800).div_euclid(3600));
            lat += y.parse::<i32>().expect("the embedded map holds whole numbers");
            (f64::from(lat) / 10.0, f64::from(lon) / 10.0)
        });
        let mut ring: Vec<(f64, f64)> = points.collect();
        // Where a ring starts decides how far round it was followed: its middle belongs within the usual range.
        let (west, east) =
            ring.iter().fold((f64::MAX, f64::MIN), |(w, e), (_, lon)| (w.min(*lon), e.max(*lon)));
        let turns = 360.0 * ((west + east) / 2.0 / 360.0).round();
        ring.iter_mut().for_each(|point| point.1 -= turns);
        (kind, ring)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The embedded map decodes to closed rings on Earth, with the Caspian Sea as the one lake.
    #[test]
    fn the_map_is_whole() {
        let rings: Vec<_> = rings().collect();
        assert!(rings.len() > 100);
        assert_eq!(rings.iter().filter(|(kind, _)| *kind == Kind::Water).count(), 1);
        for (_, ring) in &rings {
            assert_eq!(ring.first(), ring.last());
            assert!(ring.iter().all(|(lat, lon)| lat.abs() <= 90.0 && lon.abs() <= 200.0));
            // No edge may run across the whole picture.
            assert!(ring.windows(2).all(|pair| (pair[0].1 - pair[1].1).abs() < 60.0));
        }
    }
}
