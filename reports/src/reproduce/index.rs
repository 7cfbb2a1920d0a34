//! A page over several reproductions: what the reference shows beside ours, with a link to each page.

use super::{Row, context_of};
use crate::error::ReportError;
use minijinja::{Environment, context};

const TEMPLATE: &str = include_str!("../../assets/reproductions.html");
const STYLE: &str = include_str!("../../assets/report.css");
/// Most drawings of a part that are shown.
const DRAWINGS_MAX: usize = 4;

/// The page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Index {
    /// Its title.
    pub title: String,
    /// A paragraph on what was done.
    pub lead: String,
    /// What was reproduced.
    pub parts: Vec<IndexPart>,
}

/// One reproduction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IndexPart {
    /// Its name; its page is `name/report.html` beside this one.
    pub name: String,
    /// What it reproduces.
    pub title: String,
    /// What the reference shows, line by line.
    pub paper: String,
    /// How it ended.
    pub status: String,
    /// Whether there is no page, because it did not come to its end.
    pub is_missing: bool,
    /// Where reference values are from, as the title of their column.
    pub reference: String,
    /// Its rows.
    pub rows: Vec<Row>,
    /// Paths of its drawings, from this page.
    pub plots: Vec<String>,
}

impl Index {
    /// Makes the page. It shows drawings that lie in the directories of the parts.
    ///
    /// # Errors
    /// [`ReportError::Draw`]: a defect.
    pub fn render(&self) -> Result<String, ReportError> {
        let failed = |error: minijinja::Error| ReportError::Draw {
            what: "the page over reproductions",
            problem: format!("{error:#}"),
        };
        let mut environment = Environment::new();
        environment.add_template("reproductions.html", TEMPLATE).map_err(failed)?;
        let part = |part: &IndexPart| {
            let rows: Vec<_> = part.rows.iter().map(context_of).collect();
            context! {
                name => part.name.as_str(), title => part.title.as_str(), paper => part.paper.as_str(),
                status => part.status.as_str(), missing => part.is_missing, reference => part.reference.as_str(),
                misses => part.rows.iter().any(|row| row.holds() == Some(false)), rows => rows,
                plots => part.plots.iter().take(DRAWINGS_MAX).cloned().collect::<Vec<_>>(),
                more => part.plots.len().saturating_sub(DRAWINGS_MAX),
            }
        };
        let parts: Vec<_> = self.parts.iter().map(part).collect();
        let template = environment.get_template("reproductions.html").map_err(failed)?;
        template
            .render(context! {
                style => STYLE, title => self.title.as_str(), lead => self.lead.as_str(), parts => parts,
            })
            .map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: each part leads to its page and shows its rows; one that did not run says why and leads nowhere.
    #[test]
    fn what_ran_and_what_did_not() {
        let row = Row {
            quantity: "bytes <of> it".to_owned(),
            reference: Some(6.0),
            ours: Some(7.0),
            band: Some((6.0, 6.0)),
            ..Row::default()
        };
        let ran = IndexPart {
            name: "table1".to_owned(),
            paper: "6 1 2".to_owned(),
            rows: vec![row],
            plots: vec!["table1/plots/tree.svg".to_owned()],
            ..IndexPart::default()
        };
        let missing = IndexPart {
            name: "fig3".to_owned(),
            status: "cannot run here".to_owned(),
            is_missing: true,
            ..IndexPart::default()
        };
        let html = Index { parts: vec![ran, missing], ..Index::default() }.render().expect("a page");
        for piece in [
            "table1&#x2f;report.html",
            "bytes &lt;of&gt; it",
            "misses",
            "6 1 2",
            "tree.svg",
            "cannot run here",
        ] {
            let plain = piece.replace("&#x2f;", "/");
            assert!(html.contains(piece) || html.contains(&plain), "no {piece:?} in {html}");
        }
        assert!(!html.contains("fig3/report.html"));
    }
}
