//! How calls are made: by how many, and from where.

use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::time::Duration;

use crate::measure::{Figure, in_one_task, in_tasks};

/// Who calls, and how many calls are outstanding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// So many tasks, each with one call outstanding, over one connection. One task is ping-pong.
    Tasks(usize),
    /// One task with so many calls outstanding, each a future of its own.
    OneTask(usize),
    /// One task with so many calls outstanding, handed over and answered together: of those who can do that.
    Calls(usize),
    /// So many connections, each with so many tasks.
    Clients {
        clients: usize,
        /// Tasks of each.
        callers: usize,
    },
}

impl Workload {
    /// How many connections there are.
    #[must_use]
    pub(crate) fn clients(self) -> usize {
        match self {
            Self::Tasks(_) | Self::OneTask(_) | Self::Calls(_) => 1,
            Self::Clients { clients, .. } => clients,
        }
    }

    /// How many calls are outstanding on one connection.
    #[must_use]
    pub(crate) fn outstanding(self) -> usize {
        match self {
            Self::Tasks(outstanding)
            | Self::OneTask(outstanding)
            | Self::Calls(outstanding)
            | Self::Clients { callers: outstanding, .. } => outstanding,
        }
    }

    /// Makes calls for `time`. A call gets a number: of its caller, or of its place among those outstanding.
    pub(crate) async fn run<C, F>(self, time: Duration, call: C) -> Figure
    where
        C: Fn(usize) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        match self {
            Self::Tasks(callers) => in_tasks(callers, time, call).await,
            Self::OneTask(outstanding) | Self::Calls(outstanding) => in_one_task(outstanding, time, call).await,
            Self::Clients { clients, callers } => in_tasks(clients * callers, time, call).await,
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tasks(callers) => write!(f, "tasks-{callers}"),
            Self::OneTask(outstanding) => write!(f, "one-task-{outstanding}"),
            Self::Calls(outstanding) => write!(f, "calls-{outstanding}"),
            Self::Clients { clients, callers } => write!(f, "clients-{clients}x{callers}"),
        }
    }
}

impl FromStr for Workload {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("`{text}` is none of tasks-N, one-task-N, calls-N, clients-NxM");
        let number = |digits: &str| digits.parse().map_err(|_| unknown());
        if let Some(callers) = text.strip_prefix("tasks-") {
            return number(callers).map(Self::Tasks);
        }
        if let Some(outstanding) = text.strip_prefix("one-task-") {
            return number(outstanding).map(Self::OneTask);
        }
        if let Some(outstanding) = text.strip_prefix("calls-") {
            return number(outstanding).map(Self::Calls);
        }
        let (clients, callers) =
            text.strip_prefix("clients-").and_then(|rest| rest.split_once('x')).ok_or_else(unknown)?;
        Ok(Self::Clients { clients: number(clients)?, callers: number(callers)? })
    }
}
