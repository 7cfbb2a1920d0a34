//! The right to make network namespaces.

use super::NetnsError;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use std::fs;

/// Bits of the capabilities that namespaces and their interfaces need (capability.h).
const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;

/// Switches of user namespaces that systems have: the file, the value that means off, what switches them on.
const SWITCHES: [(&str, &str, &str); 3] = [
    ("/proc/sys/user/max_user_namespaces", "0", "user.max_user_namespaces=10000"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "kernel.apparmor_restrict_unprivileged_userns=0",
    ),
];

/// How the process came to the right to make network namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// It had it.
    Own,
    /// It entered a user namespace of its own, in which it is root.
    UserNamespace,
}

impl Privilege {
    /// Obtains the right to make network namespaces, for this process and those that it starts. An ordinary user's
    /// process enters a user namespace, which only works while it has one thread: call this first of all.
    ///
    /// # Errors
    /// When the system does not allow it; the message says what stands against it and what would help.
    pub fn obtain() -> Result<Self, NetnsError> {
        if has_capabilities()? {
            return Ok(Self::Own);
        }
        let threads: usize = status_field("Threads:")?.parse().unwrap_or(1);
        if threads > 1 {
            return Err(NetnsError::Threads(threads));
        }
        // Read before: inside, the process is root.
        let (user, group) = (geteuid(), getegid());
        unshare(CloneFlags::CLONE_NEWUSER).map_err(refusal)?;
        // Groups can be mapped without rights only when they can no longer be dropped (user_namespaces(7)).
        write("/proc/self/setgroups", "deny")?;
        write("/proc/self/uid_map", &format!("0 {user} 1"))?;
        write("/proc/self/gid_map", &format!("0 {group} 1"))?;
        if has_capabilities()? { Ok(Self::UserNamespace) } else { Err(NetnsError::Restricted) }
    }
}

/// Says why the kernel refused a user namespace.
fn refusal(errno: Errno) -> NetnsError {
    for (file, off, sysctl) in SWITCHES {
        let value = fs::read_to_string(file).unwrap_or_default().trim().to_owned();
        if value == off {
            return NetnsError::SwitchedOff { file, value, sysctl };
        }
    }
    NetnsError::UserNamespace { source: errno.into() }
}

fn has_capabilities() -> Result<bool, NetnsError> {
    let effective = u64::from_str_radix(&status_field("CapEff:")?, 16).unwrap_or(0);
    let needed = 1 << CAP_NET_ADMIN | 1 << CAP_SYS_ADMIN;
    Ok(effective & needed == needed)
}

fn status_field(name: &str) -> Result<String, NetnsError> {
    const FILE: &str = "/proc/self/status";
    let text =
        fs::read_to_string(FILE).map_err(|source| NetnsError::File { file: FILE.to_owned(), source })?;
    Ok(text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned())
}

fn write(file: &str, text: &str) -> Result<(), NetnsError> {
    fs::write(file, text).map_err(|source| NetnsError::File { file: file.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_several_threads_is_refused_or_has_the_right_already() {
        // Tests run in threads of their own: either the right is there, or it is too late to get it.
        match Privilege::obtain() {
            Ok(privilege) => assert_eq!(privilege, Privilege::Own),
            Err(NetnsError::Threads(threads)) => assert!(threads > 1),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_refusal_names_what_stands_against_it() {
        let text = refusal(Errno::EPERM).to_string();
        assert!(text.contains("root"), "{text}");
        assert!(text.contains("user namespace"), "{text}");
    }
}
