//! Processes that are not our own children, by what names one for good.
//!
//! Knows: where Linux tells of processes. Does not know: what they do.

/// A process. Its number alone may be another's as soon as it is gone: there are 32,768 of them on many machines, and tests that run side
/// by side make that many in minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessId {
    pub(crate) number: u32,
    /// When it began, in ticks since the machine did.
    began: u64,
}

/// What the system tells of a process.
struct Stat {
    state: char,
    parent: u32,
    began: u64,
}

impl ProcessId {
    /// The process that has this number now. `None`: none has.
    pub(crate) fn of(number: u32) -> Option<Self> {
        stat(number).map(|stat| Self { number, began: stat.began })
    }

    fn stat(self) -> Option<Stat> {
        stat(self.number).filter(|stat| stat.began == self.began)
    }

    /// Whether it is there, and has not ended without being asked how.
    pub(crate) fn is_alive(self) -> bool {
        self.stat().is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
    }

    /// Whether it is alive and stopped where it stood.
    pub(crate) fn is_stopped(self) -> bool {
        self.stat().is_some_and(|stat| matches!(stat.state, 'T' | 't'))
    }

    /// Those that it has made.
    pub(crate) fn children(self) -> Vec<Self> {
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let children = numbers.filter(|number| stat(*number).is_some_and(|stat| stat.parent == self.number));
        let children: Vec<Self> = children.filter_map(Self::of).collect();
        // Afterwards: if it is alive now it was while they were looked for, and they are not another's of its number.
        if self.is_alive() { children } else { Vec::new() }
    }
}

/// The fields stand behind the process's name, which is in brackets.
fn stat(number: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    let mut fields = text.rsplit(')').next()?.split_whitespace();
    let (state, parent) = (fields.next()?.chars().next()?, fields.next()?.parse().ok()?);
    Some(Stat { state, parent, began: fields.nth(17)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_beginning_and_not_by_its_number_alone() {
        let own = ProcessId::of(std::process::id()).expect("this one is there");
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().expect("cat");
        let known = ProcessId::of(child.id()).expect("it is there");
        assert!(known.is_alive() && own.children().contains(&known));
        assert!(!ProcessId { began: known.began + 1, ..known }.is_alive(), "another one of that number");
        drop(child.stdin.take());
        assert!(child.wait().expect("it ends").success());
        assert!(!known.is_alive());
    }
}
