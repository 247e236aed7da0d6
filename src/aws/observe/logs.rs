//! The last lines of a container, for people who ask why it stopped.

use super::{Observer, absent_on};
use crate::aws::call::{Error, Operation};
use crate::aws::pace::Priority;
use crate::core::log_lines::{LogLines, LogStream, shown};

impl Observer {
    /// The last lines of a stream, at most `most`, without what looks like a secret; nothing where there is no such stream.
    ///
    /// # Errors
    /// CloudWatch Logs refuses them, or does not answer.
    pub async fn last_lines(&self, at: LogStream, most: u8, priority: Priority) -> Result<Option<LogLines>, Error> {
        const OPERATION: Operation = Operation::read("logs", "GetLogEvents");
        let LogStream { group, stream } = at;
        let request = self.clients.logs.get_log_events().log_group_name(&group).log_stream_name(&stream);
        // Without startFromHead the newest page comes, its lines oldest first.
        let request = request.limit(i32::from(most)).start_from_head(false);
        let answer = self.clients.calls.call(OPERATION, priority, request.send()).await;
        let Some(answer) = absent_on(answer, "ResourceNotFoundException")? else { return Ok(None) };
        let lines = shown(answer.events().iter().filter_map(|event| event.message()));
        Ok(Some(LogLines { group, stream, lines }))
    }
}
