//! Four of the services in `idl/`, each with a small business behind it, over TCP, with links cut between the steps.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpcgen_generated::{chat, devices, inventory, ordering};
use rpcgen_runtime::{AppId, Call, CallError, Server, Timestamp, Uuid};
use tokio::sync::mpsc;

use crate::support::APP;

const ADDRESS: &str = "tcp://127.0.0.1:0";

fn moment(seconds: u64) -> Timestamp {
    Timestamp::new(i64::try_from(seconds).unwrap(), 0).unwrap()
}

#[derive(Clone, Default)]
struct Room {
    members: Arc<Mutex<Vec<String>>>,
    messages: Arc<Mutex<Vec<chat::Message>>>,
}

impl chat::Chat for Room {
    async fn join(
        &self,
        _: &Call,
        _: AppId,
        room: String,
        member: String,
        secret: Option<String>,
    ) -> Result<chat::JoinResponse, chat::JoinError> {
        match (room.as_str(), secret.as_deref()) {
            ("tea", _) | ("vault", Some("open")) => {}
            ("vault", _) => return Err(chat::JoinError::WrongSecret),
            _ => return Err(chat::JoinError::NoSuchRoom),
        }
        let mut members = self.members.lock().unwrap();
        if members.len() == 2 {
            return Err(chat::JoinError::Full { members_max: 2 });
        }
        members.push(member);
        Ok(chat::JoinResponse { members: members.clone(), last: self.messages.lock().unwrap().last().cloned() })
    }

    async fn leave(&self, _: &Call, _: AppId, _: String, member: String) {
        self.members.lock().unwrap().retain(|other| *other != member);
    }

    async fn write(
        &self,
        call: &Call,
        app_id: AppId,
        room: String,
        member: String,
        content: chat::Content,
    ) -> Result<u64, chat::WriteError> {
        if !self.members.lock().unwrap().contains(&member) {
            return Err(chat::WriteError::NotAMember);
        }
        let message = {
            let mut messages = self.messages.lock().unwrap();
            let id = u64::try_from(messages.len()).unwrap();
            let reactions = BTreeMap::from([("+1".to_owned(), vec![member.clone()])]);
            messages.push(chat::Message { id, from: member, at: moment(id), content: Box::new(content), reactions });
            messages[messages.len() - 1].clone()
        };
        let members = self.members.lock().unwrap().clone();
        for member in members {
            let broadcasts = call.broadcasts::<chat::Broadcasts>();
            broadcasts.written(app_id, room.clone(), member, message.clone()).await.unwrap();
        }
        Ok(message.id)
    }

    async fn history(
        &self,
        _: &Call,
        _: AppId,
        _: String,
        before: Option<u64>,
        count: u16,
    ) -> Result<Vec<chat::Message>, chat::HistoryError> {
        let messages = self.messages.lock().unwrap();
        let older = messages.iter().filter(|message| before.is_none_or(|before| message.id < before));
        Ok(older.take(count.into()).cloned().collect())
    }
}

#[tokio::test]
async fn what_is_written_in_a_room_reaches_each_member_once() {
    let server = Server::builder().serve(chat::server(Room::default())).listen(ADDRESS).await.unwrap();
    let enter = async |member: &'static str| {
        let (heard, written) = mpsc::unbounded_channel();
        let handlers = chat::Handlers::new().written(move |_, told: chat::Written| {
            let _ = heard.send((told.member, told.message));
            async {}
        });
        let client = chat::Client::builder().broadcasts(handlers).connect(&server.local_address()).await.unwrap();
        let joined = client.join(APP, "tea", member, None).await;
        (client, joined, written)
    };
    let (ada, joined, mut for_ada) = enter("ada").await;
    assert_eq!(joined, Ok(chat::JoinResponse { members: vec!["ada".to_owned()], last: None }));
    let (grace, _, mut for_grace) = enter("grace").await;
    let (late, joined, _) = enter("late").await;
    assert_eq!(joined, Err(CallError::Failed(chat::JoinError::Full { members_max: 2 })));
    let secret = late.join(APP, "vault", "late", Some("wrong".to_owned())).await;
    assert_eq!(secret, Err(CallError::Failed(chat::JoinError::WrongSecret)));

    let tea = chat::Content::Text { text: "tea?".to_owned() };
    let call = ada.write(APP, "tea", "ada", tea.clone()).send().await.unwrap();
    ada.runtime().cut_link();
    assert_eq!(call.await, Ok(0));
    let (to, first) = for_ada.recv().await.unwrap();
    assert_eq!((to.as_str(), &*first.content), ("ada", &tea));
    // A message in a message, in bytes and back.
    let quote = chat::Content::Quote { of: Box::new(first.clone()), text: "yes".to_owned() };
    assert_eq!(grace.write(APP, "tea", "grace", quote.clone()).await, Ok(1));
    assert_eq!(*for_ada.recv().await.unwrap().1.content, quote);
    let heard = (for_grace.recv().await.unwrap(), for_grace.recv().await.unwrap());
    assert_eq!((heard.0.0.as_str(), heard.0.1, *heard.1.1.content), ("grace", first.clone(), quote));
    assert_eq!(ada.history(APP, "tea", Some(1), 50).await, Ok(vec![first]));
    ada.leave(APP, "tea", "ada").await.unwrap();
    let error = ada.write(APP, "tea", "ada", chat::Content::Gone).await;
    assert_eq!(error, Err(CallError::Failed(chat::WriteError::NotAMember)));
    assert!(for_ada.try_recv().is_err() && for_grace.try_recv().is_err(), "nothing came twice");
}

#[derive(Clone, Default)]
struct Warehouse {
    left: Arc<Mutex<BTreeMap<inventory::Shelf, i64>>>,
}

impl inventory::Inventory for Warehouse {
    async fn stock(&self, _: &Call, _: AppId, skus: Vec<String>) -> Vec<inventory::Stock> {
        let left = self.left.lock().unwrap();
        let stock = |sku| {
            let mut stock = inventory::Stock { sku, total: 0, by_hall: BTreeMap::new(), shelves: Vec::new() };
            for (shelf, count) in left.iter() {
                let count = u64::try_from(*count).unwrap();
                stock.total += count;
                *stock.by_hall.entry(shelf.hall).or_default() += count;
                stock.shelves.push(*shelf);
            }
            stock
        };
        skus.into_iter().map(stock).collect()
    }

    async fn book(
        &self,
        call: &Call,
        app_id: AppId,
        _: Uuid,
        sku: String,
        shelf: inventory::Shelf,
        change: i64,
        reason: inventory::Reason,
    ) -> Result<u64, inventory::BookError> {
        let left = {
            let mut all = self.left.lock().unwrap();
            let left = all.entry(shelf).or_default();
            let there = u64::try_from(*left).unwrap();
            let new = u64::try_from(*left + change).map_err(|_| inventory::BookError::BelowZero { left: there })?;
            *left += change;
            new
        };
        if left < 10 && reason == inventory::Reason::Sale {
            call.broadcasts::<inventory::Broadcasts>().running_low(app_id, sku, left, 2.5).await.unwrap();
        }
        Ok(left)
    }

    async fn move_all(
        &self,
        _: &Call,
        _: AppId,
        from: inventory::Shelf,
        to: inventory::Shelf,
    ) -> Result<BTreeMap<String, u64>, inventory::MoveAllError> {
        let mut all = self.left.lock().unwrap();
        let moved = all.remove(&from).ok_or(inventory::MoveAllError::NoSuchShelf)?;
        *all.entry(to).or_default() += moved;
        Ok(BTreeMap::from([("bolt".to_owned(), u64::try_from(moved).unwrap())]))
    }
}

#[tokio::test]
async fn goods_are_booked_once_and_low_stock_is_told_to_whoever_buys() {
    let server = Server::builder().serve(inventory::server(Warehouse::default())).listen(ADDRESS).await.unwrap();
    let (heard, mut low) = mpsc::unbounded_channel();
    let handlers = inventory::Handlers::new().running_low(move |_, low| {
        let _ = heard.send(low);
        async {}
    });
    let address = server.local_address();
    let buyer = inventory::Client::builder().broadcasts(handlers).connect(&address).await.unwrap();
    let clerk = inventory::Client::connect(&address).await.unwrap();
    let (here, there) =
        (inventory::Shelf { hall: 1, row: 2, level: 3 }, inventory::Shelf { hall: 2, row: 999, level: 0 });
    let book = |shelf, change, reason| clerk.book(APP, Uuid::from_u128(7), "bolt", shelf, change, reason);
    let call = book(here, 20, inventory::Reason::Delivery).send().await.unwrap();
    clerk.runtime().cut_link();
    assert_eq!(call.await, Ok(20));
    assert_eq!(book(here, -15, inventory::Reason::Sale).await, Ok(5));
    let told = low.recv().await.unwrap();
    assert_eq!((told.sku.as_str(), told.left, told.per_day), ("bolt", 5, 2.5));
    let error = book(here, -6, inventory::Reason::Theft).await;
    assert_eq!(error, Err(CallError::Failed(inventory::BookError::BelowZero { left: 5 })));
    assert_eq!(buyer.move_all(APP, here, there).await, Ok(BTreeMap::from([("bolt".to_owned(), 5)])));
    let error = buyer.move_all(APP, here, there).await;
    assert_eq!(error, Err(CallError::Failed(inventory::MoveAllError::NoSuchShelf)));
    let stock = &buyer.stock(APP, vec!["bolt".to_owned()]).await.unwrap()[0];
    assert_eq!((stock.total, &stock.by_hall, &stock.shelves), (5, &BTreeMap::from([(2, 5)]), &vec![there]));
}

#[derive(Clone, Default)]
struct Shop {
    orders: Arc<Mutex<BTreeMap<String, ordering::State>>>,
}

impl ordering::Ordering for Shop {
    async fn place(
        &self,
        _: &Call,
        _: AppId,
        lines: Vec<ordering::Line>,
        to: ordering::Address,
        payment: ordering::Payment,
    ) -> Result<ordering::PlaceResponse, ordering::PlaceError> {
        assert!(!format!("{to:?} {payment:?}").contains("secret"), "what is sensitive is not printed");
        if let ordering::Payment::Voucher { code, .. } = &payment {
            return Err(ordering::PlaceError::Refused { why: format!("{code} is used up") });
        }
        let total = lines.iter().map(|line| line.price * u64::from(line.count)).sum();
        let order = format!("N-{}", self.orders.lock().unwrap().len());
        self.orders.lock().unwrap().insert(order.clone(), ordering::State::Placed);
        Ok(ordering::PlaceResponse { order, total })
    }

    async fn state(&self, _: &Call, _: AppId, order: String) -> Result<ordering::State, ordering::StateError> {
        self.orders.lock().unwrap().get(&order).cloned().ok_or(ordering::StateError::NoSuchOrder)
    }

    async fn cancel(&self, call: &Call, app_id: AppId, order: String) -> Result<(), ordering::CancelError> {
        let state = self.orders.lock().unwrap().insert(order.clone(), ordering::State::Cancelled);
        match state {
            None => Err(ordering::CancelError::NoSuchOrder),
            Some(ordering::State::Sent { at, .. }) => Err(ordering::CancelError::SentAlready { at }),
            Some(_) => {
                let broadcasts = call.broadcasts::<ordering::Broadcasts>();
                broadcasts.changed(app_id, order, ordering::State::Cancelled).await.unwrap();
                Ok(())
            }
        }
    }
}

#[tokio::test]
async fn an_order_is_placed_once_and_its_node_hears_what_becomes_of_it() {
    let shop = Shop::default();
    let server = Server::builder().serve(ordering::server(shop.clone())).listen(ADDRESS).await.unwrap();
    let (heard, mut changed) = mpsc::unbounded_channel();
    let handlers = ordering::Handlers::new().changed(move |_, told| {
        let _ = heard.send((told.order, told.state));
        async {}
    });
    let customer = ordering::Client::builder().broadcasts(handlers).connect(&server.local_address()).await.unwrap();
    let clerk = ordering::Client::connect(&server.local_address()).await.unwrap();
    let wishes = BTreeMap::from([("engraving".to_owned(), "for ever".to_owned())]);
    let line = ordering::Line { sku: "ring".to_owned(), count: 2, price: 30, wishes };
    let to = ordering::Address {
        name: "secret name".to_owned(),
        lines: vec!["secret street".to_owned()],
        country: "ch".to_owned(),
    };
    let card = ordering::Payment::Card { number: "secret".to_owned(), expires: [12, 30] };
    let call = customer.place(APP, vec![line.clone()], to.clone(), card.clone()).send().await.unwrap();
    customer.runtime().cut_link();
    let placed = call.await.unwrap();
    assert_eq!((placed.order.as_str(), placed.total), ("N-0", 60));
    assert_eq!(clerk.state(APP, "N-0").await, Ok(ordering::State::Placed));
    clerk.cancel(APP, "N-0").await.unwrap();
    assert_eq!(changed.recv().await, Some(("N-0".to_owned(), ordering::State::Cancelled)));

    let voucher = ordering::Payment::Voucher { code: "old".to_owned(), rest: Box::new(card) };
    let refused = customer.place(APP, vec![line], to, voucher).await;
    let why = "old is used up".to_owned();
    assert_eq!(refused, Err(CallError::Failed(ordering::PlaceError::Refused { why })));
    let (at, parcel, expected) = (moment(1_000), "P1".to_owned(), Some(Duration::from_secs(86_400)));
    shop.orders.lock().unwrap().insert("N-1".to_owned(), ordering::State::Sent { at, parcel, expected });
    let error = clerk.cancel(APP, "N-1").await;
    assert_eq!(error, Err(CallError::Failed(ordering::CancelError::SentAlready { at })));
}

#[derive(Clone, Default)]
struct House {
    ran: Arc<Mutex<Vec<devices::Command>>>,
}

impl House {
    #[expect(deprecated, reason = "a deprecated field is still written")]
    fn condition(&self) -> devices::Condition {
        let values = BTreeMap::from([(
            "commands".to_owned(),
            f64::from(u32::try_from(self.ran.lock().unwrap().len()).unwrap()),
        )]);
        devices::Condition { is_reachable: true, battery: Some(80), values, temperature: None }
    }
}

impl devices::Devices for House {
    async fn command(
        &self,
        call: &Call,
        app_id: AppId,
        device: Uuid,
        command: devices::Command,
    ) -> Result<devices::Condition, devices::CommandError> {
        match &command {
            devices::Command::Unlock { pin } if pin != "1234" => {
                return Err(devices::CommandError::WrongPin { tries_left: 2 });
            }
            _ => self.ran.lock().unwrap().push(command),
        }
        let condition = self.condition();
        call.broadcasts::<devices::Broadcasts>().changed(app_id, device, condition.clone()).await.unwrap();
        Ok(condition)
    }

    async fn watch(&self, _: &Call, _: AppId, _: Uuid) -> Result<devices::Condition, devices::WatchError> {
        Ok(self.condition())
    }

    async fn update(
        &self,
        _: &Call,
        _: AppId,
        _: Uuid,
        image: Vec<u8>,
        digest: [u8; 32],
    ) -> Result<(), devices::UpdateError> {
        if image.iter().copied().max() == digest.iter().copied().max() {
            Ok(())
        } else {
            Err(devices::UpdateError::WrongDigest)
        }
    }
}

#[tokio::test]
async fn a_device_runs_a_command_once_and_its_watcher_hears_of_it() {
    let house = House::default();
    let server = Server::builder().serve(devices::server(house.clone())).listen(ADDRESS).await.unwrap();
    let (heard, mut changed) = mpsc::unbounded_channel();
    let handlers = devices::Handlers::new().changed(move |_, told| {
        let _ = heard.send(told.condition.values["commands"]);
        async {}
    });
    let watcher = devices::Client::builder().broadcasts(handlers).connect(&server.local_address()).await.unwrap();
    let hand = devices::Client::connect(&server.local_address()).await.unwrap();
    let lamp = Uuid::from_u128(1);
    assert_eq!(watcher.watch(APP, lamp).await.unwrap().values["commands"], 0.0);

    let white = devices::Rgb { red: 255, green: 255, blue: 255 };
    let steps = vec![
        devices::Command::Dim { percent: 40, over: Duration::from_millis(500) },
        devices::Command::Colour { channels: [white; 4] },
        devices::Command::Scene { steps: vec![devices::Command::Switch { on: false }], times: None },
    ];
    let scene = devices::Command::Scene { steps, times: Some(3) };
    let call = hand.command(APP, lamp, scene.clone()).send().await.unwrap();
    hand.runtime().cut_link();
    assert_eq!(call.await.unwrap().values["commands"], 1.0);
    assert_eq!(*house.ran.lock().unwrap(), [scene]);
    assert_eq!(changed.recv().await, Some(1.0));
    let error = hand.command(APP, lamp, devices::Command::Unlock { pin: "0000".to_owned() }).await;
    assert_eq!(error, Err(CallError::Failed(devices::CommandError::WrongPin { tries_left: 2 })));

    // Nearly as long as a frame may be, over a link that is cut; and one byte longer than an image may be.
    let mut digest = [0; 32];
    digest[7] = 9;
    let call = hand.update(APP, lamp, vec![9; 1_000_000], digest).send().await.unwrap();
    hand.runtime().cut_link();
    assert_eq!(call.await, Ok(()));
    let too_long = hand.update(APP, lamp, vec![9; 1_048_577], digest).await;
    assert!(
        matches!(&too_long, Err(CallError::NotAccepted(error)) if error.to_string().contains("image")),
        "{too_long:?}"
    );
}
