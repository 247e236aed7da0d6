//! What images do when they run.

/// By the text of the image.
#[derive(Debug, Clone, Default)]
pub struct Images {}
