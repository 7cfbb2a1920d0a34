//! Which transports can be simulated.

use crate::error::SimError;
use bellini_core::ids::SessionKey;
use bellini_scenarios::model::{Scenario, Transport};

/// Looks whether there is a model of every session's transport.
///
/// # Errors
/// The first session for which there is none.
pub(crate) fn check_transports(scenario: &Scenario) -> Result<(), SimError> {
    for conference in &scenario.conferences {
        for session in &conference.sessions {
            match session.transport {
                Transport::Udp | Transport::UdpUnpaced => {}
                Transport::Tcp => {
                    let key = SessionKey::new(conference.id.0, session.id.0);
                    return Err(SimError::Transport { session: key, transport: session.transport });
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellini_scenarios::parse::{LoadOptions, parse_str};

    fn scenario(transport: &str) -> Scenario {
        let text = format!(
            r#"{{"bellini": 1, "duration": "1 s", "nodes": [{{"id": 1}}, {{"id": 2}}],
                "links": [{{"between": [1, 2], "delay": "1 ms"}}],
                "conferences": [{{"id": 4, "sessions": [{{"id": 7, "source": 1, "destinations": [2],
                "transport": "{transport}", "content": {{"kind": "constant", "rate": "1 Mbit/s"}},
                "routing": "direct"}}]}}]}}"#
        );
        parse_str("test.json", &text, &LoadOptions::default()).expect("it is valid").scenario
    }

    /// Aim: what has no model is refused by name, and told where it runs; the rest is let through.
    #[test]
    fn what_has_no_model_is_refused() {
        assert!(check_transports(&scenario("udp-unpaced")).is_ok());
        let error = check_transports(&scenario("tcp")).expect_err("no model of TCP").to_string();
        for piece in ["4/7", "`tcp`", "bellini lab", "nothing was started"] {
            assert!(error.contains(piece), "no {piece:?} in {error}");
        }
    }
}
