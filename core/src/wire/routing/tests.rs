//! Golden vectors, each rule, and comparison with a plain recursive model.

use super::*;
use crate::route::{Branch, Route};
use crate::wire::WireError;
use crate::wire::testing::{hex, runner};
use RouteFault::*;
use proptest::prelude::*;

/// The source of all routes here; no node of theirs, unless the test is about that.
const SOURCE: u32 = 1000;

fn node(id: u32) -> NodeId {
    NodeId::new(id).expect("a legal id")
}

fn check(bytes: &[u8]) -> Result<(), RouteFault> {
    validate(bytes, node(SOURCE), RouteLimits::NONE)
}

/// Builds a Pathlet whatever it says: `id` with the top bit for a destination.
fn pathlet(id: u32, nested: &[u8]) -> Vec<u8> {
    let length = (PATHLET_HEADER_BYTES + nested.len()) as u16;
    [&length.to_be_bytes()[..], &id.to_be_bytes(), nested].concat()
}

fn leaf(id: u32) -> Vec<u8> {
    pathlet(id | DELIVER, &[])
}

/// Returns a chain of `depth` nodes that delivers at its end.
fn chain(depth: u32) -> Vec<u8> {
    (1..depth).rev().fold(leaf(depth), |nested, id| pathlet(id, &nested))
}

/// The vectors that DESIGN 4.1 fixes, the paper's Table I in bytes.
#[test]
fn golden_vectors() {
    let vectors = [
        ("2d", "00 06 80000002"),
        ("2>3d", "00 0C 00000002 00 06 80000003"),
        ("{3d,2d>{4d,5d}}", "00 06 80000003 00 12 80000002 00 06 80000004 00 06 80000005"),
        // Multi-path: the second flow of a session whose first is `2d`.
        ("3>2d", "00 0C 00000003 00 06 80000002"),
        // Redundant copies: both paths in one RoutingInfo.
        ("{2d,3>2d}", "00 06 80000002 00 0C 00000003 00 06 80000002"),
    ];
    for (text, bytes) in vectors {
        let (route, bytes) = (Route::parse(text).unwrap(), hex(bytes));
        assert_eq!(encode(&route).as_ref(), Ok(&bytes), "{text}");
        assert_eq!(decode(&bytes), Ok(route), "{text}");
        assert_eq!(check(&bytes), Ok(()), "{text}");
    }
}

#[test]
fn each_rule_has_its_fault() {
    let cases = [
        ("", Empty),
        // Length below 6, or not even a header.
        ("00", TooShort),
        ("00 06 800000", TooShort),
        ("00 05 80000002", TooShort),
        ("00 00 80000002", TooShort),
        ("00 0C 00000002 00 03 80000003", TooShort),
        // Beyond the bytes that are left.
        ("00 07 80000002", BeyondEnd),
        ("FF FF 80000002", BeyondEnd),
        ("00 06 80000002 00 0C 80000003", BeyondEnd),
        // Bytes after the last Pathlet.
        ("00 06 80000002 00", TooShort),
        // Nested lengths that do not add up: too long, and bytes left over.
        ("00 0C 00000002 00 0C 80000003", NestedMismatch),
        ("00 0D 00000002 00 06 80000003 00", NestedMismatch),
        ("00 0C 00000002 00 07 80000003 00 06 80000004", NestedMismatch),
        // A node twice on one branch, and on two branches.
        ("00 0C 00000002 00 06 80000002", Loop),
        ("00 12 00000002 00 0C 00000003 00 06 80000002", Loop),
        // The source: 1000 is 0x3E8.
        ("00 06 800003E8", Source),
        ("00 0C 00000002 00 06 800003E8", Source),
        // A branch without a destination.
        ("00 06 00000002", NoDestination),
        ("00 06 80000003 00 06 00000002", NoDestination),
        ("00 0C 80000002 00 06 00000003", NoDestination),
        // Node id 0, with and without the destination bit.
        ("00 06 80000000", ZeroNode),
        ("00 0C 00000000 00 06 80000003", ZeroNode),
        ("00 0C 00000003 00 06 80000000", ZeroNode),
    ];
    for (text, fault) in cases {
        assert_eq!(check(&hex(text)), Err(fault), "{text}");
    }
    // The same node on two branches is a redundant copy, not a loop.
    assert_eq!(check(&hex("00 06 80000002 00 0C 00000003 00 06 80000002")), Ok(()));
}

#[test]
fn depth_is_limited_without_recursion() {
    assert_eq!(check(&chain(16)), Ok(()));
    assert_eq!(check(&chain(17)), Err(TooDeep));
    assert_eq!(check(&chain(10_000)), Err(TooDeep));
    assert_eq!(decode(&chain(10_000)), Err(TooDeep));
    // Depth is per branch: after a deep branch, the next one starts anew.
    assert_eq!(check(&[chain(16), chain(16)].concat()), Ok(()));
    let path = |length: u32| Route::path(&(1..=length).map(node).collect::<Vec<_>>());
    assert_eq!(encode(&path(16)), Ok(chain(16)));
    assert_eq!(encode(&path(17)), Err(TooDeep));
}

#[test]
fn copies_are_the_ends_of_branches() {
    let limits = |copies_max| RouteLimits { copies_max, ..RouteLimits::NONE };
    let three = pathlet(9 | DELIVER, &[leaf(1), leaf(2), chain(5)].concat());
    assert_eq!(validate_pathlet(&three, limits(3)), Ok(three.len()));
    assert_eq!(validate_pathlet(&three, limits(2)), Err(TooManyCopies));
    // Over all Pathlets of a RoutingInfo together; a chain of sixteen is one copy.
    let four = [three, chain(16)].concat();
    assert_eq!(validate(&four, node(SOURCE), limits(4)), Ok(()));
    assert_eq!(validate(&four, node(SOURCE), limits(3)), Err(TooManyCopies));
}

#[test]
fn bytes_are_limited() {
    let limits = |bytes_max| RouteLimits { bytes_max, ..RouteLimits::NONE };
    assert_eq!(validate_pathlet(&chain(3), limits(18)), Ok(18));
    assert_eq!(validate_pathlet(&chain(3), limits(17)), Err(TooLarge));
    assert_eq!(validate(&[chain(1), chain(2)].concat(), node(SOURCE), limits(18)), Ok(()));
    assert_eq!(validate(&[chain(1), chain(2)].concat(), node(SOURCE), limits(17)), Err(TooLarge));
    // 10,923 leaves of 6 bytes are 65,538: more than a length field can say, flat or nested.
    let leaves: Vec<_> =
        (1..=10_923).map(|id| Branch { node: node(id), deliver: true, next: Vec::new() }).collect();
    assert_eq!(encode(&Route { branches: leaves.clone() }), Err(TooLarge));
    let nested = Branch { node: node(20_000), deliver: true, next: leaves };
    assert_eq!(encode(&Route { branches: vec![nested] }), Err(TooLarge));
}

#[test]
fn routes_that_break_a_rule_are_not_encoded() {
    for (text, fault) in [("2", NoDestination), ("{2d,3>4}", NoDestination), ("2>3d>2d", Loop)] {
        assert_eq!(encode(&Route::parse(text).unwrap()), Err(fault), "{text}");
    }
    assert_eq!(encode(&Route { branches: Vec::new() }), Err(Empty));
}

/// What follows a packet's Pathlet is not the routing header's concern.
#[test]
fn one_pathlet_is_split_from_what_follows() {
    let own = pathlet(9 | DELIVER, &[leaf(4), chain(3)].concat());
    let packet = [&own[..], b"payload"].concat();
    assert_eq!(validate_pathlet(&packet, RouteLimits::NONE), Ok(own.len()));
    let (view, rest) = split_first(&packet).unwrap();
    assert_eq!((view.node, view.deliver, rest), (node(9), true, &b"payload"[..]));
    let children: Vec<_> = view.children().collect();
    assert_eq!(children, [(&leaf(4)[..], node(4)), (&chain(3)[..], node(1))]);
    let (last, rest) = split_first(children[0].0).unwrap();
    assert_eq!((last.node, last.deliver, rest.len(), last.children().count()), (node(4), true, 0, 0));
}

#[test]
fn the_source_walks_the_top_level() {
    let info = [leaf(3), pathlet(2 | DELIVER, &leaf(4))].concat();
    let nodes: Vec<_> = branches(&info).unwrap().map(|(_, node)| node.get()).collect();
    assert_eq!(nodes, [3, 2]);
    assert_eq!(branches(&[]).err(), Some(Empty));
    assert_eq!(branches(&info[..17]).err(), Some(BeyondEnd));
    assert_eq!(branches(&info[..9]).err(), Some(TooShort));
}

#[test]
fn the_shallow_check_sees_its_own_level() {
    let cases = [
        ("", Empty),
        ("0006", TooShort),
        ("0005 00000002", TooShort),
        ("0007 00000002", BeyondEnd),
        ("0006 80000000", ZeroNode),
        ("000C 00000002 0007 80000003", NestedMismatch),
        ("0008 00000002 0006", NestedMismatch),
        ("000C 00000002 0002 80000003", TooShort),
        ("000C 00000002 0006 80000000", ZeroNode),
    ];
    for (text, fault) in cases {
        assert_eq!(split_first(&hex(text)).err(), Some(WireError::BadRoute(fault)), "{text}");
    }
}

#[test]
fn every_truncated_length_is_refused() {
    let whole = pathlet(9, &[leaf(1), chain(3), pathlet(7 | DELIVER, &leaf(8))].concat());
    assert_eq!(validate_pathlet(&whole, RouteLimits::NONE), Ok(whole.len()));
    for got in 0..whole.len() {
        let expected = if got == 0 {
            Empty
        } else if got < PATHLET_HEADER_BYTES {
            TooShort
        } else {
            BeyondEnd
        };
        assert_eq!(check(&whole[..got]), Err(expected), "{got}");
        assert_eq!(validate_pathlet(&whole[..got], RouteLimits::NONE), Err(expected), "{got}");
        assert_eq!(split_first(&whole[..got]).err(), Some(WireError::BadRoute(expected)), "{got}");
    }
}

/// Says the same as [`validate`] in the plainest way, and builds the tree on the way.
fn model(
    bytes: &[u8],
    above: &[u32],
    copies: &mut usize,
    limits: RouteLimits,
) -> Result<Vec<Branch>, RouteFault> {
    let top = above.is_empty();
    let mut found = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let Some((length, field)) = header(rest) else {
            return Err(if top { TooShort } else { NestedMismatch });
        };
        let id = field & !DELIVER;
        let deliver = field != id;
        let nested = match rest.get(6..length) {
            _ if length < 6 => return Err(TooShort),
            None => return Err(if top { BeyondEnd } else { NestedMismatch }),
            _ if id == 0 => return Err(ZeroNode),
            _ if id == SOURCE => return Err(Source),
            _ if above.contains(&id) => return Err(Loop),
            Some(nested) => nested,
        };
        if nested.is_empty() {
            *copies += 1;
            if !deliver {
                return Err(NoDestination);
            }
            if *copies > limits.copies_max {
                return Err(TooManyCopies);
            }
        } else if above.len() == 15 {
            return Err(TooDeep);
        }
        let next = model(nested, &[above, &[id]].concat(), copies, limits)?;
        found.push(Branch { node: node(id), deliver, next });
        rest = &rest[length..];
    }
    Ok(found)
}

fn routes() -> impl Strategy<Value = Vec<Branch>> {
    // Few ids, the source's among them, so that loops and the source do turn up.
    let id = prop_oneof![20 => 1..40_u32, 1 => Just(SOURCE)];
    let leaf = (id.clone(), prop::bool::weighted(0.97));
    let leaf = leaf.prop_map(|(id, deliver)| Branch { node: node(id), deliver, next: Vec::new() });
    let branch = leaf.prop_recursive(18, 60, 3, move |inner| {
        (id.clone(), any::<bool>(), prop::collection::vec(inner, 1..4))
            .prop_map(|(id, deliver, next)| Branch { node: node(id), deliver, next })
    });
    // Some trees hang below a long stem, so that depth is met too.
    let stem = prop_oneof![3 => Just(0_u32), 1 => 0..16_u32];
    (prop::collection::vec(branch, 1..4), stem).prop_map(|(branches, stem)| {
        (0..stem).fold(branches, |next, i| vec![Branch { node: node(100 + i), deliver: false, next }])
    })
}

/// Writes the tree with no rule checked.
fn raw(branches: &[Branch]) -> Vec<u8> {
    branches
        .iter()
        .flat_map(|branch| {
            pathlet(branch.node.get() | if branch.deliver { DELIVER } else { 0 }, &raw(&branch.next))
        })
        .collect()
}

/// Trees, good and bad, some with bytes changed: the walk agrees with the model on every one, to the fault.
#[test]
fn the_walk_agrees_with_the_model() {
    let damage = prop::collection::vec((any::<prop::sample::Index>(), 0..24_u8), 0..3);
    let mut outcomes = std::collections::BTreeMap::new();
    let seen = core::cell::RefCell::new(&mut outcomes);
    runner(30_000)
        .run(&(routes(), damage, 1..20_usize), |(branches, damage, copies_max)| {
            let mut bytes = raw(&branches);
            for (index, value) in damage {
                let at = index.index(bytes.len());
                bytes[at] = value;
            }
            let limits = RouteLimits { copies_max, bytes_max: 300 };
            let expected = match bytes.len() {
                301.. => Err(TooLarge),
                _ => model(&bytes, &[], &mut 0, limits),
            };
            *seen.borrow_mut().entry(expected.as_ref().err().copied()).or_insert(0) += 1;
            prop_assert_eq!(validate(&bytes, node(SOURCE), limits), expected.clone().map(|_| ()));
            if let Ok(branches) = expected {
                let route = Route { branches };
                prop_assert_eq!(encode(&route), Ok(bytes.clone()));
                prop_assert_eq!(decode(&bytes), Ok(route));
                for (pathlet, node) in super::branches(&bytes).unwrap() {
                    prop_assert_eq!(validate_pathlet(pathlet, limits), Ok(pathlet.len()));
                    prop_assert_eq!(split_first(pathlet).unwrap().0.node, node);
                }
            }
            Ok(())
        })
        .unwrap();
    // The draws reach the good case and every fault but the empty header.
    assert_eq!(outcomes.len(), 11, "{outcomes:?}");
}

#[test]
fn hostile_bytes_do_not_panic() {
    let bytes = prop::collection::vec(prop_oneof![3 => 0..20_u8, 1 => any::<u8>()], 0..120);
    runner(30_000)
        .run(&bytes, |bytes| {
            let _ = validate_pathlet(&bytes, RouteLimits::NONE);
            prop_assert_eq!(
                decode(&bytes).is_ok(),
                validate(&bytes, node(NodeId::MAX), RouteLimits::NONE).is_ok()
            );
            if let Ok((view, rest)) = split_first(&bytes) {
                let nested: usize = view.children().map(|(child, _)| child.len()).sum();
                prop_assert_eq!(PATHLET_HEADER_BYTES + nested + rest.len(), bytes.len());
            }
            Ok(())
        })
        .unwrap();
}
