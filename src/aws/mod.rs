//! EDGE: AWS. The only room that names an SDK crate.
//!
//! ```text
//! document --wire::decode--> SDK input --call--> AWS --SDK output--> wire::encode--> document
//!                  |                                                     |
//!                  +---------- tables: AWS's own names, once ------------+
//! ```
//!
//! Content (what is sent and compared) goes through the tables; control (rollout state, counts, events, health) is read
//! from the SDK's typed fields.

pub mod apply;
pub mod call;
pub mod clients;
pub mod error;
pub mod live;
pub mod observe;
pub mod pace;
pub mod tables;
pub mod transport;
pub mod wire;
