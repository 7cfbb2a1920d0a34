//! `bellini attach`: standard input and output joined to a node's console.

use super::args::AttachOptions;
use super::exit::{self, Failure};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

pub(super) fn run(options: &AttachOptions) -> Result<u8, Failure> {
    let place = options.socket.display();
    let failed = |error: io::Error| Failure::new(exit::ENVIRONMENT, format!("{place}: {error}"));
    let socket = UnixStream::connect(&options.socket).map_err(failed)?;
    let mut orders = socket.try_clone().map_err(failed)?;
    // Whoever conducts is gone when this ends: the console is left, and with it this process ends.
    std::thread::spawn(move || {
        let _ = pass(&mut io::stdin().lock(), &mut orders);
        let _ = orders.shutdown(Shutdown::Both);
    });
    let (mut answers, mut out) = (socket, io::stdout().lock());
    // A closed pipe is the end of the output, not an error.
    let _ = pass(&mut answers, &mut out);
    Ok(exit::DONE)
}

/// Passes on what comes, at once, until there is no more: what the library does between pipes and sockets may wait for
/// more of it.
fn pass(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut block = vec![0; 1 << 16];
    loop {
        match from.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(read) => to.write_all(&block[..read]).and_then(|()| to.flush())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
