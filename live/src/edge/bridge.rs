//! Carries bytes between an application's place and a socket of a file system, for nodes that live in network
//! namespaces of their own: those share the files of the machine, but not its ports.

use super::delivery::Delivery;
use super::source;
use super::{EdgePlan, Place};
use std::io;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long applications may take to fetch the last bytes.
const LAST: Duration = Duration::from_secs(2);

/// Threads of its own, one for each place that nodes cannot reach; they end with it.
#[derive(Debug, Default)]
pub struct Bridge {
    ways: Vec<(oneshot::Sender<()>, JoinHandle<io::Result<()>>)>,
}

impl Bridge {
    /// Opens what nodes cannot reach themselves and has the plan name sockets in `directory` instead. `ports`: whether
    /// UDP and TCP are among that.
    ///
    /// # Errors
    /// When a place cannot be opened.
    pub fn build(plan: &mut EdgePlan, directory: &Path, ports: bool) -> io::Result<Self> {
        let mut bridge = Self::default();
        for (number, (is_source, place)) in plan.places_mut().enumerate() {
            let is_far = match place {
                Place::Standard => true,
                Place::Udp(_) | Place::Tcp(_) => ports,
                Place::Unix(_) | Place::UnixDatagram(_) | Place::File(_) => false,
            };
            if !is_far {
                continue;
            }
            let path = directory.join(format!("edge-{number}.sock"));
            let near = match place {
                Place::Udp(_) => Place::UnixDatagram(path),
                _ => Place::Unix(path),
            };
            let far = core::mem::replace(place, near.clone());
            let (from, to) = if is_source { (far, near) } else { (near, far) };
            bridge.ways.push(way(from, to)?);
        }
        Ok(bridge)
    }

    /// Waits until everything that nodes have handed over is with the applications.
    ///
    /// # Errors
    /// When one of them has not taken all.
    pub fn finish(mut self) -> io::Result<()> {
        for (stop, thread) in self.ways.drain(..) {
            // It may have ended by itself.
            let _ = stop.send(());
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a bridge has failed")))?;
        }
        Ok(())
    }
}

/// Opens both ends, and carries bytes in a thread.
fn way(from: Place, to: Place) -> io::Result<(oneshot::Sender<()>, JoinHandle<io::Result<()>>)> {
    let (stop, stopped) = oneshot::channel();
    let (opened, is_open) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let done = runtime.block_on(async {
            let ends = source::open_any(&from).and_then(|pieces| Ok((pieces, Delivery::open_any(&to)?)));
            let (mut pieces, mut delivery) = match ends {
                Ok((pieces, delivery)) => {
                    let _ = opened.send(Ok(()));
                    (pieces, delivery)
                }
                Err(error) => {
                    let _ = opened.send(Err(error));
                    return Ok(());
                }
            };
            let carry = async {
                loop {
                    // Who reads slowly holds who writes. Nothing is in hand while this waits, or may be stopped.
                    while !delivery.has_room() {
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                    let Some(piece) = pieces.0.recv().await else { break };
                    if !delivery.give(piece?) {
                        return Err(io::Error::other(format!("{to} takes nothing any more")));
                    }
                }
                Ok(())
            };
            tokio::select! {
                done = carry => done?,
                _ = stopped => {
                    // What is in the socket already belongs to the run.
                    let rest = async {
                        while let Some(Ok(piece)) = pieces.0.recv().await {
                            if !delivery.give(piece) {
                                return Err(io::Error::other(format!("{to} takes nothing any more")));
                            }
                        }
                        Ok(())
                    };
                    // Time is over when nothing more comes.
                    tokio::time::timeout(Duration::from_millis(200), rest).await.unwrap_or(Ok(()))?;
                }
            }
            match delivery.finish(LAST).await {
                Some(problem) => Err(io::Error::other(format!("{to}: {problem}"))),
                None => Ok(()),
            }
        });
        // A thread that waits for standard input does not hold the end back.
        runtime.shutdown_background();
        done
    });
    is_open.recv().unwrap_or_else(|_| Err(io::Error::other("a bridge has failed")))?;
    Ok((stop, thread))
}
