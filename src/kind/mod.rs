//! PURE: one file a resource kind.
/// x
pub const KINDS: () = ();
