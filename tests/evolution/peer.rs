//! One version of every case, as a process: a server or a client, as it is told on its stdin, line by line.
//!
//! Knows: the words that `processes.rs` says, messages as hexadecimal digits. Does not know: the other version, which is not compiled
//! here. It ends with its stdin: however the test ends, this does.

use std::io::Write as _;
use std::sync::Arc;

use rpcgen_runtime::Server;
use rpcgen_runtime::generated::{ConnectError, Service};

use crate::served::{Answers, Served};

/// The generated code of one version of a case.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) services: fn() -> Vec<Served>,
}

/// What is said, at once and in one piece: handlers speak too.
fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    // Who cannot be told any more has gone, and closes the stdin.
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("0x"), |text, byte| text + &format!("{byte:02x}"))
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.strip_prefix("0x").expect("0x").chars().collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("two digits");
    digits.chunks(2).map(byte).collect()
}

fn service(cases: &[Case], case: &str, service: &str) -> Served {
    let case = cases.iter().find(|other| other.name == case).expect("a case");
    (case.services)().into_iter().find(|other| other.name() == service).expect("a service of it")
}

async fn serve(service: Served, responses: &[&str]) -> Server {
    let methods = service.methods.into_iter().zip(responses).map(|(method, response)| (method, bytes(response)));
    let heard = Arc::new(|number, request: Vec<u8>| say(&format!("ran {number} {}", hex(&request))));
    let answers = Answers { methods: methods.collect(), heard };
    let builder = Server::builder().memory_instead_of_disk().serve(Service::new(service.descriptor, answers));
    builder.listen("tcp://127.0.0.1:0").await.expect("a free port")
}

async fn call(service: Served, address: &str, requests: &[&str]) {
    let client = match (service.connect)(address.to_owned()).await {
        Ok(client) => client,
        Err(error) => {
            let reason = match &error {
                ConnectError::Rejected { reject, .. } => format!("{:?}", reject.reason),
                _ => "Other".to_owned(),
            };
            return say(&format!("refused {reason} {error}"));
        }
    };
    say("connected");
    for (number, (method, request)) in service.methods.iter().zip(requests).enumerate() {
        match (method.call)(client.clone(), bytes(request)).await {
            Ok(response) => say(&format!("answer {number} {}", hex(&response))),
            Err(error) => say(&format!("failed {number} {error}")),
        }
    }
    say("called");
}

/// Does what it is told until nobody tells it any more.
pub(crate) fn run(cases: &[Case]) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let mut server = None;
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["serve", case, name, responses @ ..] => {
                let listening = runtime.block_on(serve(service(cases, case, name), responses));
                say(&format!("listening {}", listening.local_address()));
                server = Some(listening);
            }
            ["call", case, name, address, requests @ ..] => {
                runtime.block_on(call(service(cases, case, name), address, requests));
            }
            ["stop"] => {
                drop(server.take());
                say("stopped");
            }
            _ => panic!("{line}"),
        }
    }
}
