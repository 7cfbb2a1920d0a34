//! A dense table of values between regions.

/// Values from each region to each other, in one `Vec`.
#[derive(Debug)]
pub(super) struct Matrix<T> {
    /// Region ids, sorted, so that a binary search finds the row or column of one.
    names: Vec<&'static str>,
    /// Row by row; `None` on the diagonal and where nothing was measured.
    cells: Vec<Option<T>>,
}

impl<T: Copy> Matrix<T> {
    /// Parses the text form: a header `src,<region>,...`, then a line `<region>,<value>,...` for each region in
    /// the same order, cells without a value empty.
    ///
    /// # Panics
    /// If the text has another form or `cell` refuses a value: the text is part of the program.
    pub(super) fn parse(text: &'static str, cell: impl Fn(&str) -> Option<T>) -> Self {
        let mut lines = text.lines();
        let header = lines.next().expect("a matrix starts with its header");
        let names: Vec<_> = header.split(',').skip(1).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "the regions of a matrix are sorted, each once");
        let mut cells = Vec::with_capacity(names.len() * names.len());
        let mut rows = 0;
        for (line, name) in lines.zip(&names) {
            let mut fields = line.split(',');
            assert_eq!(fields.next(), Some(*name), "rows come in the order of the columns");
            cells.extend(fields.map(|field| match field {
                "" => None,
                value => Some(cell(value).unwrap_or_else(|| panic!("`{value}` in the row of {name}"))),
            }));
            rows += 1;
        }
        assert_eq!(rows, names.len(), "a matrix has a row for each column");
        assert_eq!(cells.len(), names.len() * names.len(), "a matrix is square");
        Self { names, cells }
    }

    /// Returns the value from `from` to `to`, if both are known and it was measured.
    pub(super) fn value(&self, from: &str, to: &str) -> Option<T> {
        let position = |name: &str| self.names.binary_search(&name).ok();
        self.cells[position(from)? * self.names.len() + position(to)?]
    }

    /// Returns the region ids, sorted.
    pub(super) fn names(&self) -> &[&'static str] {
        &self.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_cells_by_name() {
        let matrix = Matrix::parse("src,a,b\na,,1\nb,2,\n", |cell| cell.parse::<u32>().ok());
        assert_eq!(matrix.value("a", "b"), Some(1));
        assert_eq!(matrix.value("b", "a"), Some(2));
        assert_eq!(matrix.value("a", "a"), None);
        assert_eq!(matrix.value("a", "c"), None);
        assert_eq!(matrix.names(), ["a", "b"]);
    }

    #[test]
    #[should_panic(expected = "a matrix is square")]
    fn refuses_a_short_row() {
        let _ = Matrix::parse("src,a,b\na,,1\nb,2\n", |cell| cell.parse::<u32>().ok());
    }
}
