//! Regions of AWS, Google Cloud and Azure, and where on the map they are.

use std::sync::OnceLock;

/// A cloud region.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// Provider and name: `aws:us-east-1`.
    pub id: String,
    /// The city or area that the provider names.
    pub city: String,
    /// The country.
    pub country: String,
    /// Latitude in degrees, north positive; of the city, since providers do not publish sites.
    pub latitude: f64,
    /// Longitude in degrees, east positive.
    pub longitude: f64,
}

/// Returns the ids of all known regions, sorted. A data set covers only some of them.
#[must_use]
pub fn region_names() -> Vec<&'static str> {
    regions().iter().map(|region| region.id.as_str()).collect()
}

/// Returns the region of that id.
#[must_use]
pub fn region(id: &str) -> Option<&'static Region> {
    let all = regions();
    all.binary_search_by(|region| region.id.as_str().cmp(id)).ok().map(|index| &all[index])
}

fn regions() -> &'static [Region] {
    static PARSED: OnceLock<Vec<Region>> = OnceLock::new();
    PARSED.get_or_init(|| parse(include_str!("../../data/regions.csv")))
}

/// Parses `id,city,country,latitude,longitude` below a header line; cities may be quoted.
fn parse(text: &str) -> Vec<Region> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let regions: Vec<Region> = reader
        .deserialize()
        .map(|row| {
            let (id, city, country, latitude, longitude) = row.expect("the embedded table is well-formed");
            Region { id, city, country, latitude, longitude }
        })
        .collect();
    assert!(regions.is_sorted_by(|a, b| a.id < b.id), "the embedded table is sorted by id");
    regions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_found_by_id() {
        assert_eq!(region_names().len(), 152);
        let virginia = region("aws:us-east-1").unwrap();
        assert_eq!((virginia.city.as_str(), virginia.country.as_str()), ("Ashburn", "United States"));
        assert_eq!((virginia.latitude, virginia.longitude), (39.0438, -77.4874));
        assert!(region("us-east-1").is_none());
    }

    #[test]
    fn positions_are_on_the_globe() {
        for region in regions() {
            assert!(region.latitude.abs() <= 90.0 && region.longitude.abs() <= 180.0, "{}", region.id);
        }
    }
}
