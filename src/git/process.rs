//! What is set in libgit2 once for the whole process.

use git2::ConfigLevel;
use std::sync::Once;
use std::time::Duration;

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may say nothing at all. GitHub answers a fetch within a second or two, and sends keep-alives while
/// it packs; a test does not want to wait that long.
const SILENCE_TIMEOUT: Duration = if cfg!(test) { Duration::from_secs(1) } else { Duration::from_secs(30) };

/// Sets libgit2's global options, once. Every function of this room that touches git2 first calls it.
///
/// * Time limits on the sockets: without them a server that hangs would hold the thread for ever (git corpus G10).
/// * No configuration of the machine or the user is read, so that `url.insteadOf`, proxies and helpers of a person's
///   `~/.gitconfig` cannot change what the daemon does.
/// * Repositories of other users are opened, as in a container with a mounted volume. git refuses those because their
///   configuration could run programs; libgit2 runs none.
pub(super) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(set_options);
}

#[expect(unsafe_code, reason = "libgit2's process-wide options can only be set through unsafe functions")]
fn set_options() {
    let millis = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: these write C globals without a lock. `Once` makes it one writer, and every reader of this crate is in
    // this room and has passed `prepare` before, which happens-after the writes.
    let set = unsafe {
        [
            git2::opts::set_server_connect_timeout_in_milliseconds(millis(CONNECT_TIMEOUT)),
            git2::opts::set_server_timeout_in_milliseconds(millis(SILENCE_TIMEOUT)),
            git2::opts::set_search_path(ConfigLevel::System, ""),
            git2::opts::set_search_path(ConfigLevel::Global, ""),
            git2::opts::set_search_path(ConfigLevel::XDG, ""),
            git2::opts::set_search_path(ConfigLevel::ProgramData, ""),
            git2::opts::set_verify_owner_validation(false),
        ]
    };
    for error in set.into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "an option of libgit2 could not be set");
    }
}
