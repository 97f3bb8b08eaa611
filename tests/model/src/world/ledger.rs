//! What was promised and what happened, call by call: the judge, and independent of the sessions.
//!
//! Knows: the promises of docs/protocol.md, section 1, by the names of section 12. Does not know: how sessions keep them.

use rpcgen_proto::frame::{CancelOutcome, Refusal};
use rpcgen_proto::session::Answer;

use super::word::Word;
use crate::configuration::Outcome;

/// An invariant that does not hold: its name, and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Violation {
    /// As docs/protocol.md, section 12, names it.
    pub invariant: &'static str,
    /// How.
    pub how: String,
}

/// Whether all is well.
pub(super) type Check = Result<(), Violation>;

pub(super) fn violated(invariant: &'static str, how: String) -> Check {
    Err(Violation { invariant, how })
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Ending {
    Response,
    Refused(Refusal),
}

/// Where the cancel of a call is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Cancel {
    #[default]
    None,
    Asked,
    Done(CancelOutcome),
}

/// What is known of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Call {
    /// Its client has died with its memory: nobody waits any more.
    is_gone: bool,
    /// In how many epochs it began to run, and the last of them.
    runs: u8,
    last_epoch: Option<u8>,
    /// Whether the business answered it.
    is_done: bool,
    is_guaranteed: bool,
    ending: Option<Ending>,
    cancel: Cancel,
    /// Its session was given up, or the server lost its memory: `Unknown` is a true answer.
    may_be_unknown: bool,
}

/// What is known of a broadcast.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct News {
    runs: u8,
    /// The server that logged it has lost its memory.
    is_forgotten: bool,
}

/// All that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ledger {
    calls: Vec<Call>,
    news: Vec<News>,
}

impl Ledger {
    /// A call was accepted: its number. `may_be_unknown`: its client does not know yet that the server has lost its memory.
    pub(super) fn accept(&mut self, may_be_unknown: bool) -> u8 {
        self.calls.push(Call { may_be_unknown, ..Call::default() });
        u8::try_from(self.calls.len() - 1).expect("a small world has few calls")
    }

    /// A broadcast was logged: its number.
    pub(super) fn log(&mut self) -> u8 {
        self.news.push(News::default());
        u8::try_from(self.news.len() - 1).expect("a small world has few broadcasts")
    }

    /// How many calls were accepted.
    pub(super) fn accepted(&self) -> usize {
        self.calls.len()
    }

    /// How many broadcasts were logged.
    pub(super) fn logged(&self) -> usize {
        self.news.len()
    }

    pub(super) fn begin(&mut self, word: Word, redelivered: bool, epoch: u8) -> Result<Option<Outcome>, Violation> {
        let name = "at_most_one_execution_per_call_key";
        let Word::Request(number) = word else {
            return violated("answer_matches_call", format!("{word:?} was to run")).map(|()| None);
        };
        let call = &mut self.calls[usize::from(number)];
        if call.runs > 0 && !redelivered {
            return violated(name, format!("call {number} runs again and it is not said")).map(|()| None);
        }
        if call.last_epoch == Some(epoch) {
            return violated(name, format!("call {number} runs twice in one life of the server")).map(|()| None);
        }
        if let Some(Ending::Refused(Refusal::Cancelled)) = call.ending {
            return violated("cancel_xor_execute", format!("call {number} runs after it was cancelled")).map(|()| None);
        }
        if call.ending.is_some() {
            return violated(name, format!("call {number} runs after it was answered")).map(|()| None);
        }
        call.last_epoch = Some(epoch);
        call.runs += 1;
        Ok((call.runs > 1).then_some(Outcome::Redelivered))
    }

    /// The business answers.
    pub(super) fn finish(&mut self, number: u8) {
        self.calls[usize::from(number)].is_done = true;
    }

    pub(super) fn guarantee(&mut self, number: u8) -> Option<Outcome> {
        let call = &mut self.calls[usize::from(number)];
        call.is_guaranteed = true;
        (!call.is_done && call.ending.is_none()).then_some(Outcome::GuaranteedFirst)
    }

    pub(super) fn answer(&mut self, number: u8, answer: &Answer<Word>) -> Result<Outcome, Violation> {
        let call = &mut self.calls[usize::from(number)];
        if call.ending.is_some() {
            return Err(Violation { invariant: "no_lost_answer", how: format!("call {number} is answered twice") });
        }
        let fail = |invariant, how: &str| Err(Violation { invariant, how: format!("call {number} {how}") });
        let (ending, outcome) = match answer {
            Answer::Response(Word::Response(of)) if *of == number => {
                if !call.is_done {
                    return fail("answer_implies_completion", "has an answer that nobody gave");
                }
                (Ending::Response, Outcome::Answered)
            }
            Answer::Response(word) | Answer::Failure(word) => {
                return fail("answer_matches_call", &format!("is answered with {word:?}"));
            }
            Answer::Refused(Refusal::Cancelled) => {
                if call.runs > 0 {
                    return fail("cancel_xor_execute", "ran, and is answered with `Cancelled`");
                }
                (Ending::Refused(Refusal::Cancelled), Outcome::Cancelled)
            }
            Answer::Refused(Refusal::Unknown) => {
                if !call.may_be_unknown {
                    return fail("no_lost_answer", "ends in `Unknown`, and it was known");
                }
                (Ending::Refused(Refusal::Unknown), Outcome::Unknown)
            }
            Answer::Refused(refusal) => return fail("no_lost_answer", &format!("is refused: {refusal:?}")),
        };
        call.ending = Some(ending);
        Ok(outcome)
    }

    pub(super) fn ask_cancel(&mut self, number: u8) {
        self.calls[usize::from(number)].cancel = Cancel::Asked;
    }

    pub(super) fn settle_cancel(&mut self, number: u8, outcome: CancelOutcome) -> Result<Outcome, Violation> {
        let call = &mut self.calls[usize::from(number)];
        let fail = |how: &str| {
            Err(Violation { invariant: "cancel_xor_execute", how: format!("call {number}: {how} ({outcome:?})") })
        };
        if call.cancel != Cancel::Asked {
            return fail("an outcome of a cancel that is not open");
        }
        call.cancel = Cancel::Done(outcome);
        match outcome {
            CancelOutcome::Cancelled if call.runs > 0 => fail("it ran"),
            CancelOutcome::Executing if call.runs == 0 => fail("it never ran"),
            CancelOutcome::Answered if !call.is_done && call.ending.is_none() => fail("it was not answered"),
            CancelOutcome::MaybeExecuted if !call.may_be_unknown => fail("it is known whether it ran"),
            CancelOutcome::Cancelled => Ok(Outcome::Cancelled),
            CancelOutcome::Executing => Ok(Outcome::CancelExecuting),
            CancelOutcome::Answered => Ok(Outcome::CancelAnswered),
            CancelOutcome::MaybeExecuted => Ok(Outcome::CancelMaybe),
        }
    }

    pub(super) fn run_news(&mut self, word: Word, redelivered: bool) -> Result<Outcome, Violation> {
        let Word::News(number) = word else {
            return Err(Violation { invariant: "broadcast_once", how: format!("{word:?} was to run as a broadcast") });
        };
        let news = &mut self.news[usize::from(number)];
        news.runs += 1;
        if news.runs > 1 && !redelivered {
            let how = format!("broadcast {number} runs again and it is not said");
            return Err(Violation { invariant: "broadcast_once", how });
        }
        Ok(if news.runs > 1 { Outcome::BroadcastRedelivered } else { Outcome::BroadcastRan })
    }

    /// The server died with its memory.
    pub(super) fn server_died(&mut self) {
        for call in &mut self.calls {
            call.may_be_unknown |= call.ending.is_none();
            call.is_guaranteed = false;
        }
        self.news.iter_mut().for_each(|news| news.is_forgotten |= news.runs == 0);
    }

    /// A client died with its memory.
    pub(super) fn client_died(&mut self, calls: &[u8]) {
        for number in calls {
            let call = &mut self.calls[usize::from(*number)];
            *call = Call { is_gone: true, runs: call.runs, last_epoch: call.last_epoch, ..Call::default() };
        }
    }

    /// A session of a client was given up.
    pub(super) fn expired(&mut self, calls: &[u8]) {
        for number in calls {
            let call = &mut self.calls[usize::from(*number)];
            call.may_be_unknown |= call.ending.is_none();
        }
    }

    /// Nothing more will happen.
    pub(super) fn end(&self, is_any_node_left: bool) -> Check {
        for (number, call) in self.calls.iter().enumerate().filter(|(_, call)| !call.is_gone) {
            if call.ending.is_none() {
                return violated(
                    "no_lost_answer",
                    format!("call {number} has no answer, and nothing more will happen"),
                );
            }
            if call.cancel == Cancel::Asked {
                return violated("cancel_xor_execute", format!("the cancel of call {number} has no outcome"));
            }
            let (is_cancelled, answer) = (call.cancel == Cancel::Done(CancelOutcome::Cancelled), call.ending);
            if is_cancelled != (answer == Some(Ending::Refused(Refusal::Cancelled))) {
                let how = format!("call {number} ended in {answer:?}, its cancel in {:?}", call.cancel);
                return violated("cancel_xor_execute", how);
            }
        }
        if is_any_node_left && let Some(lost) = self.news.iter().position(|news| news.runs == 0 && !news.is_forgotten) {
            return violated("broadcast_not_lost", format!("broadcast {lost} never ran, and nothing more will happen"));
        }
        Ok(())
    }
}
