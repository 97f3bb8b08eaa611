//! Both versions over a real link between two processes: whether they connect, and whether calls go through then.
//!
//! Knows: services by the number of their actions, messages as bytes. Does not know: what a case is about.

use std::collections::BTreeSet;

use rpcgen::breaking::{self, Level, Party};
use rpcgen::model::{Model, Service};
use rpcgen_runtime::Server;

use super::processes::{Process, said};
use super::updates::Quick;
use super::values::{Random, messages};
use super::{Case, Message, Recode, generated, model};

/// One version of a case.
struct Version {
    name: &'static str,
    model: Model,
    messages: Vec<Message>,
}

impl Version {
    fn both(case: &Case) -> [Self; 2] {
        let of = |name, messages| Self { name, model: model(case.name, name), messages };
        [of("old", (case.old)()), of("new", (case.new)())]
    }

    fn service(&self, name: &str) -> Option<&Service> {
        self.model.services.iter().find(|service| service.name == name)
    }

    fn recode(&self, message: &str) -> Option<Recode> {
        self.messages.iter().find(|(known, _)| *known == message).map(|(_, recode)| *recode)
    }

    /// A message of this version that `reader` can read; if it does not know it, any.
    fn message(&self, service: &Service, name: &str, reader: &Self) -> Vec<u8> {
        let reads = reader.recode(name);
        let values = (0..300).flat_map(|seed| messages(&self.model, service, &mut Random(seed)));
        let mut values = values.filter(|(known, _)| known == name).map(|(_, bytes)| bytes);
        values.find(|bytes| reads.is_none_or(|reads| reads(bytes).is_ok())).expect("one that both know")
    }

    /// Every request, or every response, of a service.
    fn all(&self, service: &Service, part: &str, reader: &Self) -> Vec<Vec<u8>> {
        let name = |number: usize| message_name(service, number, part);
        (0..service.actions.len()).map(|number| self.message(service, &name(number), reader)).collect()
    }

    /// The model of one service.
    fn alone(&self, service: &str) -> Option<Model> {
        let mut model = self.model.clone();
        model.services.retain(|other| other.name == service);
        (!model.services.is_empty()).then_some(model)
    }
}

fn message_name(service: &Service, number: usize, part: &str) -> String {
    format!("{} action {number} {part}", service.name)
}

fn breaks(old: &Model, new: &Model, party: Party) -> bool {
    breaking::compare(old, new)
        .iter()
        .any(|finding| finding.rule.level == Level::Breaking && finding.breaks.contains(&party))
}

/// What two ends that meet can know: which is older is not said. They connect if in one of the two orders nothing breaks.
fn should_connect(client: &Model, server: &Model) -> bool {
    !breaks(client, server, Party::OldClient) || !breaks(server, client, Party::OldServer)
}

/// One version serves and the other calls: they meet as `expected`, and then each reads what the other has written.
fn meet(case: &str, name: &str, client: (&Version, &mut Process), server: (&Version, &mut Process), expected: bool) {
    let ((client, calling), (server, serving)) = (client, server);
    let (asked, served) = (client.service(name).unwrap(), server.service(name).unwrap());
    let who = format!("{case}: the {} client with the {} server", client.name, server.name);
    let reader = if expected { client } else { server };
    let responses = server.all(served, "response", reader);
    let requests = client.all(asked, "request", if expected { server } else { client });
    let address = serving.serve(case, name, &responses);
    let answers = calling.call(case, name, &address, &requests);
    let ran = serving.stop();
    let answers = match answers {
        Ok(answers) => answers,
        Err((reason, text)) => {
            assert!(!expected, "{who}: {text}");
            assert_eq!((reason.as_str(), ran), ("SchemaMismatch", Vec::new()), "{who}: {text}");
            return;
        }
    };
    assert!(expected, "{who} should not connect");
    let known = served.actions.len().min(asked.actions.len());
    let read = |reader: &Version, message: &[u8], number, part, what| {
        let recode = reader.recode(&message_name(asked, number, part)).unwrap();
        said(what, number, &recode(message).unwrap())
    };
    let expected = (0..asked.actions.len()).map(|number| match responses.get(number) {
        Some(response) => read(client, response, number, "response", "answer"),
        None => format!("failed {number} Refused(UnknownAction)"),
    });
    assert_eq!(answers, expected.collect::<Vec<_>>(), "{who}");
    let expected = (0..known).map(|number| read(server, &requests[number], number, "request", "ran"));
    assert_eq!(ran, expected.collect::<Vec<_>>(), "{who}");
}

#[test]
fn versions_connect_if_nothing_breaks_and_then_calls_go_through() {
    let (mut old_process, mut new_process) = (Process::start("old"), Process::start("new"));
    let mut either_way = BTreeSet::new();
    let (mut met, mut refused) = (0, 0);
    for case in generated::CASES {
        let [old, new] = Version::both(case);
        for is_old_client in [true, false] {
            let (client, server) = if is_old_client { (&old, &new) } else { (&new, &old) };
            for name in client.model.services.iter().map(|service| service.name.as_str()) {
                let (Some(asked), Some(served)) = (client.alone(name), server.alone(name)) else { continue };
                let expected = should_connect(&asked, &served);
                let in_its_order = match client.name {
                    "old" => !breaks(&asked, &served, Party::OldClient),
                    _ => !breaks(&served, &asked, Party::OldServer),
                };
                if expected != in_its_order {
                    either_way.insert(format!("{}: {} client", case.name, client.name));
                }
                let (calling, serving) = match is_old_client {
                    true => (&mut old_process, &mut new_process),
                    false => (&mut new_process, &mut old_process),
                };
                meet(case.name, name, (client, calling), (server, serving), expected);
                *(if expected { &mut met } else { &mut refused }) += 1;
            }
        }
    }
    // Here `rpcgen breaking`, which knows the older one, finds something broken, and the link does not: seen from the other order of age
    // it is what only asks for care. The values that one end does not know are refused one by one.
    let expected: BTreeSet<String> = EITHER_WAY.iter().map(|known| (*known).to_owned()).collect();
    assert_eq!(either_way, expected);
    assert!(met > 20 && refused > 20, "{met} met, {refused} were refused");
}

/// Cases that would break in their own order of age, and connect as they would not in the other.
const EITHER_WAY: &[&str] = &[
    "integer_narrowed: new client",
    "integer_narrowed: old client",
    "max_lowered: new client",
    "max_lowered: old client",
    "variant_removed: new client",
    "variant_removed: old client",
];

#[test]
fn versions_that_do_not_fit_are_told_what_differs() {
    let case = generated::CASES.iter().find(|case| case.name == "field_type").unwrap();
    let [old, new] = Version::both(case);
    let (mut calling, mut serving) = (Process::start("old"), Process::start("new"));
    let responses = new.all(new.service("Shop").unwrap(), "response", &new);
    let address = serving.serve(case.name, "Shop", &responses);
    let requests = old.all(old.service("Shop").unwrap(), "request", &old);
    let (_, text) = calling.call(case.name, "Shop", &address, &requests).expect_err("it is refused");
    assert_eq!(
        text.replace(&address, "ADDRESS"),
        "the server at ADDRESS refused: the schema of `shop.Shop` differs: server 6d3d7521ee46be9a, client 68afd09b1652923c: \
         `order.request.item.count` is `u32` here and `string` at the server; `order.request.item.state` is an optional enum here and an \
         enum at the server. Keep what is there and append what is new, or build both ends from one .rpc file; `rpcgen breaking` compares \
         two versions"
    );
    assert_eq!(serving.stop(), [""; 0], "nothing ran");
}

#[tokio::test]
async fn within_a_process_both_ends_have_one_version() {
    use generated::cases::fine_message_grows::{new, old};
    let server = Server::builder().serve(new::server(Quick)).listen("thread://versions").await.unwrap();
    let Err(error) = old::Client::connect(&server.local_address()).await else { panic!("it is refused") };
    assert!(error.to_string().ends_with("handed over as they are here: build both ends from one .rpc file"), "{error}");
}
