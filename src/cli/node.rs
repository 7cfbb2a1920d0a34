//! `bellini node`: one node process on real sockets.

use super::args::NodeOptions;
use super::exit::{self, Failure};
use bellini_core::config::NodeConfig;
use bellini_core::ids::{Incarnation, NodeId};
use bellini_live::console::{Addresses, ConsolePlace, NodeSettings, Origin};
use bellini_live::node::{self, NodeError};
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;

pub(super) fn run(options: &NodeOptions) -> Result<u8, Failure> {
    let settings = settings(options)?;
    settings.check().map_err(|error| Failure::new(exit::USAGE, error))?;
    if options.die_with_parent {
        node::die_with_parent()
            .map_err(|error| Failure::new(exit::ENVIRONMENT, format!("--die-with-parent: {error}")))?;
    }
    if settings.plaintext && !settings.bind.is_loopback() {
        exit::say(format_args!(
            "warning: bound to {} in plaintext: anyone on the way can read and forge what hops carry",
            settings.bind
        ));
    }
    let place = options.console.clone().unwrap_or_default();
    if place == ConsolePlace::None && options.settings.is_none() && options.peer.is_empty() {
        exit::say("note: neither a console nor peers: this node waits to be found, and can do nothing else");
    }
    match node::run(&settings, &place) {
        Ok(()) => Ok(exit::DONE),
        Err(error @ NodeError::Settings(_)) => Err(Failure::new(exit::USAGE, error)),
        Err(error @ (NodeError::Open { .. } | NodeError::Tcp(_))) => {
            Err(Failure::new(exit::ENVIRONMENT, error))
        }
        Err(error @ NodeError::Broken(_)) => Err(Failure::new(exit::FAILED, error)),
    }
}

/// Reads the settings file, if there is one, and lets what was typed change it.
fn settings(options: &NodeOptions) -> Result<NodeSettings, Failure> {
    let mut settings = match (&options.settings, options.id) {
        (Some(path), _) => {
            let place = path.display();
            let text = fs::read_to_string(path)
                .map_err(|error| Failure::new(exit::ENVIRONMENT, format!("{place}: {error}")))?;
            serde_json::from_str(&text).map_err(|error| {
                let hint = "`bellini node --help` says what a settings file is";
                Failure::new(exit::USAGE, format!("{place}: {error}\nhelp: {hint}"))
            })?
        }
        (None, Some(id)) => NodeSettings::new(NodeConfig::new(id), 1, Origin::today()),
        (None, None) => {
            return Err(Failure::new(
                exit::USAGE,
                "which node is this? Give --id N, or --settings FILE\nhelp: bellini node --id 1 --console stdio",
            ));
        }
    };
    if let Some(id) = options.id {
        settings.config.id = id;
    }
    if let Some(incarnation) = options.incarnation {
        settings.config.incarnation = Incarnation(incarnation);
    }
    settings.seed = options.seed.unwrap_or(settings.seed);
    settings.bind = options.bind.unwrap_or(settings.bind);
    settings.port = options.port.unwrap_or(settings.port);
    settings.control_port = options.control_port.unwrap_or(settings.control_port);
    settings.advertise = options.advertise.or(settings.advertise);
    settings.clock_offset_ns = options.clock_offset.unwrap_or(settings.clock_offset_ns);
    settings.clock_drift_ppb = options.clock_drift.unwrap_or(settings.clock_drift_ppb);
    settings.tcp_congestion = options.tcp_congestion.clone().or(settings.tcp_congestion);
    settings.record = options.record.clone().or(settings.record);
    if let Some(dir) = &options.keys {
        settings.seal = Some(bellini_live::seal::keys::settings(dir, settings.config.id));
        settings.plaintext = false;
    }
    if options.plaintext {
        (settings.seal, settings.plaintext) = (None, true);
    }
    let typed: BTreeMap<NodeId, Addresses> = options.peer.iter().copied().collect();
    if typed.len() < options.peer.len() {
        return Err(Failure::new(exit::USAGE, "--peer: a node is given twice"));
    }
    settings.peers.extend(typed);
    Ok(settings)
}

/// Reads `ID=ADDR:PORT[/CONTROLPORT]`; without a control port it is the next one.
pub(super) fn peer(text: &str) -> Result<(NodeId, Addresses), String> {
    let form = "it must have the form ID=ADDRESS:PORT[/CONTROLPORT], such as `2=10.0.0.2:7000` or `2=[fd00::2]:7000/7001`";
    let (id, place) = text.split_once('=').ok_or(form)?;
    let id = node_id(id.trim())?;
    let (data, control) = match place.trim().split_once('/') {
        Some((data, control)) => (data, Some(control)),
        None => (place.trim(), None),
    };
    let data: SocketAddr = data.parse().map_err(|_| format!("`{data}` is no address with a port: {form}"))?;
    let control_port = match control {
        Some(port) => port.parse().map_err(|_| format!("`{port}` is no port: {form}"))?,
        None => {
            data.port().checked_add(1).ok_or("there is no port after 65535: give the control port, too")?
        }
    };
    Ok((id, Addresses { data, control: SocketAddr::new(data.ip(), control_port) }))
}

/// Reads a node id.
pub(super) fn node_id(text: &str) -> Result<NodeId, String> {
    let rule = || format!("a node id is a number from 1 to {}", NodeId::MAX);
    text.parse().ok().and_then(NodeId::new).ok_or_else(rule)
}

/// Reads where the console is.
pub(super) fn console(text: &str) -> Result<ConsolePlace, String> {
    match text {
        "" => Err("`stdio`, or the path of a Unix socket".to_owned()),
        "stdio" => Ok(ConsolePlace::Stdio),
        path => Ok(ConsolePlace::Socket(path.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_given_as_people_write_addresses() {
        let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
        for (text, data, control) in [
            ("2=10.0.0.2:7000", "10.0.0.2:7000", "10.0.0.2:7001"),
            ("2=10.0.0.2:7000/9", "10.0.0.2:7000", "10.0.0.2:9"),
            ("2=[fd00::2]:7000/7001", "[fd00::2]:7000", "[fd00::2]:7001"),
        ] {
            let (node, addresses) = peer(text).expect(text);
            assert_eq!((node.get(), addresses.data, addresses.control), (2, at(data), at(control)));
        }
        for text in [
            "2",
            "0=10.0.0.2:1",
            "x=10.0.0.2:1",
            "2=10.0.0.2",
            "2=host:1",
            "2=10.0.0.2:1/x",
            "2=10.0.0.2:65535",
        ] {
            assert!(peer(text).is_err(), "{text}");
        }
    }
}
