use super::*;

/// Aim: limits belong to the band, and what has no value does not hold.
#[test]
fn bands() {
    let row = |ours, band| Row { ours, band, ..Row::default() };
    assert_eq!(row(Some(1.0), Some((1.0, 2.0))).holds(), Some(true));
    assert_eq!(row(Some(2.001), Some((1.0, 2.0))).holds(), Some(false));
    assert_eq!(row(Some(f64::NAN), Some((1.0, 2.0))).holds(), Some(false));
    assert_eq!(row(None, Some((1.0, 2.0))).holds(), Some(false));
    assert_eq!(row(Some(1.0), None).holds(), None);
}

/// Aim: the files beside the page say what it says, and a comma in a name does not shift columns.
#[test]
fn tables_for_programs() {
    let row = Row {
        quantity: "p 1 %, R 20 ms".to_owned(),
        unit: "packets/s".to_owned(),
        reference: Some(2.0),
        ours: Some(2.5),
        band: Some((1.0, 3.0)),
        ..Row::default()
    };
    let curve = Curve { name: "a".to_owned(), shape: Shape::Line, points: vec![(1.0, 0.5)], beside: None };
    let plot = Plot { title: "Ratio, by p (%)".to_owned(), curves: vec![curve], ..Plot::default() };
    let page = Page { rows: vec![row], ..Page::default() };
    assert!(page.csv().ends_with("\"p 1 %, R 20 ms\",packets/s,2,2.5,,,1,3,holds\n"), "{}", page.csv());
    assert_eq!((plot.slug().as_str(), plot.csv().as_str()), ("ratio-by-p", "curve,x,y\na,1,0.5\n"));
}

/// Aim: everything that is given stands on the page, escaped, and nothing is loaded from elsewhere.
#[test]
fn a_page_holds_what_it_was_given() {
    let page = Page {
        title: "Fig. 7".to_owned(),
        lead: "Times <of> packets.".to_owned(),
        reference: "ns-2".to_owned(),
        rows: vec![Row {
            quantity: "mean".to_owned(),
            unit: "us".to_owned(),
            reference: Some(1.89),
            ours: Some(0.25),
            interval: Some((0.24, 0.26)),
            band: Some((0.3, 2.0)),
            remark: "single packets".to_owned(),
            ..Row::default()
        }],
        trees: Vec::new(),
        tables: vec![TextTable {
            title: "Bytes".to_owned(),
            caption: "Side <by> side.".to_owned(),
            head: vec!["printed".to_owned()],
            rows: vec![vec!["6 1 2".to_owned()]],
        }],
        overlays: Vec::new(),
        maps: Vec::new(),
        plots: vec![Plot {
            title: "Distribution".to_owned(),
            caption: "Of times.".to_owned(),
            x: ("time".to_owned(), "us".to_owned()),
            y: ("packets".to_owned(), "%".to_owned()),
            y_range: None,
            curves: vec![
                Curve {
                    name: "ours".to_owned(),
                    shape: Shape::Line,
                    points: vec![(0.1, 0.0), (0.3, 100.0)],
                    beside: None,
                },
                Curve {
                    name: "dots".to_owned(),
                    shape: Shape::Dots,
                    points: vec![(0.2, 50.0), (f64::NAN, 1.0)],
                    beside: Some(0),
                },
            ],
        }],
        bars: vec![Bars {
            title: "Bars".to_owned(),
            caption: "Of waits.".to_owned(),
            x: ("wait".to_owned(), "ms".to_owned()),
            things: vec!["shared queue".to_owned(), "own queue".to_owned()],
            parts: vec![("median".to_owned(), vec![20.0, 3.0]), ("to 95 %".to_owned(), vec![9.0, 0.0])],
        }],
        inputs: vec![Input::new("clock", "2.4 GHz", "assumed: nobody says")],
        notes: vec!["Read this.".to_owned()],
    };
    let html = page.render().expect("a page");
    for piece in [
        "Fig. 7",
        "&lt;of&gt;",
        "1.89",
        "0.24 to 0.26",
        "time (us)",
        "shared queue",
        "wait (ms)",
        "<td>assumed</td><td>nobody says</td>",
        "<pre>6 1 2</pre>",
        "Side &lt;by&gt; side.",
        "Read this.",
        "<svg",
        "ns-2",
        "0.3 to 2",
        "misses",
    ] {
        assert!(html.contains(piece), "no {piece:?}");
    }
    assert!(!html.contains("src=") && !html.contains("href="), "something is loaded");
}
