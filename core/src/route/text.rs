//! Reading a route as text.

use super::{Branch, Route};
use crate::ids::NodeId;
use crate::wire::routing::DEPTH_MAX;
use core::str::FromStr;

/// Why a text is no route, and where.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {position}: {fault}")]
pub struct RouteTextError {
    /// Byte of the text, from 0; its length when the text ends too early.
    pub position: usize,
    /// What is wrong there.
    pub fault: RouteTextFault,
}

/// What is wrong with a route's text.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteTextFault {
    /// A node id should stand here.
    #[error("a node id is expected")]
    NodeExpected,
    /// The number is no node id.
    #[error("a node id is a number from 1 to {max}", max = NodeId::MAX)]
    BadNode,
    /// A branch with more nodes than a routing header can say.
    #[error("a branch has at most {DEPTH_MAX} nodes")]
    TooDeep,
    /// After a branch, its list goes on or ends.
    #[error("`,` or `}}` is expected")]
    ListUnclosed,
    /// The route is complete before the text ends.
    #[error("the route is complete here, but the text goes on")]
    Trailing,
}

impl Route {
    /// Reads a route with numbers as node ids, in the form that it is printed in; spaces are ignored.
    ///
    /// ```text
    /// route  = branch | "{" branch *("," branch) "}"
    /// branch = number ["d"] [">" route]
    /// ```
    /// The text only says the tree; whether it makes a legal routing header is for
    /// [`encode`](crate::wire::routing::encode).
    ///
    /// # Errors
    /// [`RouteTextError`] with the first byte that cannot be read.
    pub fn parse(text: &str) -> Result<Self, RouteTextError> {
        let mut parser = Parser { bytes: text.as_bytes(), at: 0 };
        let branches = parser.route(0)?;
        match parser.peek() {
            None => Ok(Self { branches }),
            Some(_) => Err(parser.fault(RouteTextFault::Trailing)),
        }
    }
}

impl FromStr for Route {
    type Err = RouteTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    /// Returns the next byte that is not a space, and stands on it.
    fn peek(&mut self) -> Option<u8> {
        while self.bytes.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    const fn fault(&self, fault: RouteTextFault) -> RouteTextError {
        RouteTextError { position: self.at, fault }
    }

    fn route(&mut self, depth: usize) -> Result<Vec<Branch>, RouteTextError> {
        if !self.accept(b'{') {
            return Ok(vec![self.branch(depth)?]);
        }
        let mut branches = Vec::new();
        loop {
            branches.push(self.branch(depth)?);
            if self.accept(b'}') {
                return Ok(branches);
            }
            if !self.accept(b',') {
                return Err(self.fault(RouteTextFault::ListUnclosed));
            }
        }
    }

    /// Reads one branch; `depth` nodes stand above it, which bounds the recursion.
    fn branch(&mut self, depth: usize) -> Result<Branch, RouteTextError> {
        let node = self.node()?;
        let deliver = self.accept(b'd');
        if !self.accept(b'>') {
            return Ok(Branch { node, deliver, next: Vec::new() });
        }
        if depth + 1 >= DEPTH_MAX {
            return Err(self.fault(RouteTextFault::TooDeep));
        }
        Ok(Branch { node, deliver, next: self.route(depth + 1)? })
    }

    fn node(&mut self) -> Result<NodeId, RouteTextError> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.fault(RouteTextFault::NodeExpected));
        }
        let start = self.at;
        let mut number = 0_u32;
        while let Some(digit) = self.bytes.get(self.at).filter(|byte| byte.is_ascii_digit()) {
            number = number.saturating_mul(10).saturating_add(u32::from(digit - b'0'));
            self.at += 1;
        }
        NodeId::new(number).ok_or(RouteTextError { position: start, fault: RouteTextFault::BadNode })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RouteTextFault::{BadNode, ListUnclosed, NodeExpected, TooDeep, Trailing};

    #[test]
    fn what_is_printed_is_read_again() {
        for text in ["2d", "2>3d", "{3d,2d>{4d,5d}}", "3>{2d,4d}", "3d>{5d,6>7d}", "2147483647d", "2"] {
            assert_eq!(Route::parse(text).map(|route| route.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(" 3 > { 2d , 4 d } ".parse::<Route>(), Route::parse("3>{2d,4d}"));
        assert_eq!(Route::parse("1>2>3d"), Ok(Route::path(&[1, 2, 3].map(|id| NodeId::new(id).unwrap()))));
    }

    #[test]
    fn errors_point_at_the_byte() {
        let cases = [
            ("", 0, NodeExpected),
            ("d", 0, NodeExpected),
            ("2>", 2, NodeExpected),
            ("2 > x", 4, NodeExpected),
            ("{}", 1, NodeExpected),
            ("{{2d}}", 1, NodeExpected),
            ("{2d,}", 4, NodeExpected),
            ("-2d", 0, NodeExpected),
            ("1>0d", 2, BadNode),
            ("2147483648d", 0, BadNode),
            ("1>99999999999999999999d", 2, BadNode),
            ("{2d", 3, ListUnclosed),
            ("{2d 3d}", 4, ListUnclosed),
            ("2dd", 2, Trailing),
            ("2d,3d", 2, Trailing),
            ("2d}", 2, Trailing),
            ("\u{e9}", 0, NodeExpected),
        ];
        for (text, position, fault) in cases {
            assert_eq!(Route::parse(text), Err(RouteTextError { position, fault }), "{text:?}");
        }
    }

    #[test]
    fn hostile_depth_does_not_recurse() {
        let deepest = (1..=16).map(|id| id.to_string()).collect::<Vec<_>>().join(">");
        assert!(Route::parse(&deepest).is_ok());
        assert_eq!(Route::parse(&format!("{deepest}>17")).map_err(|error| error.fault), Err(TooDeep));
        assert_eq!(Route::parse(&"1>".repeat(1_000_000)).map_err(|error| error.fault), Err(TooDeep));
        assert_eq!(Route::parse(&"1>{".repeat(1_000_000)).map_err(|error| error.fault), Err(TooDeep));
    }

    #[test]
    fn errors_read_well() {
        let error = Route::parse("{2d 3d}").unwrap_err();
        assert_eq!(error.to_string(), "at byte 4: `,` or `}` is expected");
        assert_eq!(
            Route::parse("0").unwrap_err().to_string(),
            "at byte 0: a node id is a number from 1 to 2147483647"
        );
    }
}
