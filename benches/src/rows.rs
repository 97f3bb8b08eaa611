//! The rows of the comparison: what of ours stands beside which limit and which peers, and what we want the ratio to be.

use crate::workload::Workload;

/// One row.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) workload: Workload,
    pub(crate) ours: &'static str,
    pub(crate) beside: &'static [Beside],
}

/// Who stands beside ours, and how many times its calls per second ours are to reach.
pub(crate) struct Beside {
    pub(crate) who: &'static str,
    /// Mostly the same workload; a peer without one of that kind has its nearest.
    pub(crate) workload: Option<Workload>,
    /// `None`: it is there to be seen beside the others.
    pub(crate) goal: Option<f64>,
}

const fn beside(who: &'static str, goal: f64) -> Beside {
    Beside { who, workload: None, goal: Some(goal) }
}

const fn seen(who: &'static str) -> Beside {
    Beside { who, workload: None, goal: None }
}

/// All rows, in the order in which they are measured.
pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "tcp-pipelined",
        workload: Workload::Tasks(256),
        ours: "ours-tcp",
        beside: &[beside("raw-tcp-mux", 1.0), beside("tarpc-tcp", 4.0), beside("tonic-unary", 15.0)],
    },
    Row {
        name: "tcp-one-task",
        workload: Workload::OneTask(256),
        ours: "ours-tcp",
        beside: &[beside("raw-tcp-mux", 2.0), beside("tonic-stream", 1.0)],
    },
    Row {
        name: "tcp-calls",
        workload: Workload::Calls(256),
        ours: "ours-tcp",
        beside: &[
            Beside { who: "raw-tcp-mux", workload: Some(Workload::OneTask(256)), goal: Some(2.0) },
            Beside { who: "tonic-stream", workload: Some(Workload::OneTask(256)), goal: Some(1.0) },
            Beside { who: "ours-tcp", workload: Some(Workload::OneTask(256)), goal: None },
        ],
    },
    Row {
        name: "tcp-ping-pong",
        workload: Workload::Tasks(1),
        ours: "ours-tcp",
        beside: &[beside("raw-tcp-mux", 0.9), beside("tarpc-tcp", 1.0), beside("tonic-unary", 1.0)],
    },
    Row {
        name: "threads-pipelined",
        workload: Workload::Tasks(256),
        ours: "ours-threads",
        beside: &[beside("mpsc-oneshot", 1.0), beside("tarpc-memory", 3.0)],
    },
    Row {
        name: "threads-calls",
        workload: Workload::Calls(256),
        ours: "ours-threads",
        beside: &[
            Beside { who: "mpsc-oneshot", workload: Some(Workload::OneTask(256)), goal: Some(1.0) },
            Beside { who: "ours-threads", workload: Some(Workload::OneTask(256)), goal: None },
        ],
    },
    Row {
        name: "threads-pinned",
        workload: Workload::Calls(256),
        ours: "ours-pinned",
        beside: &[beside("crossbeam-pinned", 0.6)],
    },
    Row {
        name: "threads-ping-pong",
        workload: Workload::Tasks(1),
        ours: "ours-threads",
        beside: &[beside("mpsc-oneshot", 1.0), beside("tarpc-memory", 3.0)],
    },
    Row {
        name: "tcp-1000-clients",
        workload: Workload::Clients { clients: 1_000, callers: 8 },
        ours: "ours-tcp",
        beside: &[
            Beside { who: "ours-tcp", workload: Some(Workload::Tasks(256)), goal: Some(0.8) },
            beside("raw-tcp-mux", 1.0),
        ],
    },
    Row {
        name: "durable-pipelined",
        workload: Workload::Tasks(256),
        ours: "ours-durable",
        beside: &[
            beside("raw-tcp-durable", 0.6),
            seen("disk-append"),
            beside("tonic-postgres", 30.0),
            beside("jetstream-call", 10.0),
            beside("jetstream-call-always", 150.0),
            seen("jetstream-publish"),
            seen("jetstream-publish-always"),
        ],
    },
    Row {
        name: "durable-ping-pong",
        workload: Workload::Tasks(1),
        ours: "ours-durable",
        beside: &[
            beside("raw-tcp-durable", 1.4),
            seen("disk-append"),
            seen("tonic-postgres"),
            seen("jetstream-call"),
            seen("jetstream-call-always"),
            seen("jetstream-publish"),
            seen("jetstream-publish-always"),
        ],
    },
    Row {
        name: "effect-sqlite",
        workload: Workload::Tasks(256),
        ours: "ours-sqlite",
        beside: &[beside("tonic-postgres", 5.0)],
    },
    Row {
        name: "effect-postgres",
        workload: Workload::Tasks(256),
        ours: "ours-postgres",
        beside: &[beside("tonic-postgres", 1.5)],
    },
    // The goals are 10 and 45 ns where bincode took 8.3 and 44.3.
    Row {
        name: "codec-encode",
        workload: Workload::Tasks(1),
        ours: "ours-encode",
        beside: &[beside("bincode-encode", 0.83)],
    },
    Row {
        name: "codec-decode",
        workload: Workload::Tasks(1),
        ours: "ours-decode",
        beside: &[beside("bincode-decode", 0.98)],
    },
];
