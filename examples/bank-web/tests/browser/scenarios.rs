//! What people see: one test for each promise.

use std::path::Path;

use crate::driver::Driver;
use crate::house::{Done, House, PASSWORD};

/// A driver, or a loud word that the scenario is skipped.
macro_rules! driver_or_skip {
    () => {
        match Driver::start().await {
            Some(driver) => driver,
            None => {
                eprintln!("SKIPPED: no chromium and chromedriver on the PATH (Debian: apt-get install chromium chromium-driver)");
                return;
            }
        }
    };
}

/// When the page was begun, and all that it has asked its node for since; a stream is among it when it has ended.
const ASKED_FOR: &str = "return [performance.timeOrigin,
    ...performance.getEntriesByType('resource').map((one) => new URL(one.name).pathname)].join(' ');";

/// The README's pictures.
const OF_README: [&str; 2] = ["waiting.png", "waiting-phone.png"];

/// Where a picture of a page is kept: with `UPDATE=1`, those of the README beside it.
fn picture(name: &str) -> std::path::PathBuf {
    let is_wanted = std::env::var_os("UPDATE").is_some() && OF_README.contains(&name);
    let folder = if is_wanted { env!("CARGO_MANIFEST_DIR") } else { env!("CARGO_TARGET_TMPDIR") };
    let path = Path::new(folder).join("pictures");
    std::fs::create_dir_all(&path).expect("a folder for pictures");
    path.join(name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amount_that_arrives_is_seen_by_two_browsers_at_two_front_nodes() {
    let driver = driver_or_skip!();
    let house = House::open("amount", "5").await;
    let (first, second) = (driver.browser(1_000, 900).await, driver.browser(390, 844).await);
    house.sign_in(&first, 1, "alice").await;
    house.sign_in(&second, 2, "alice").await;
    first.click("#get-key").await;
    for browser in [&first, &second] {
        browser.until_text("#timeline li", "New key").await;
        browser.until("return document.getElementById('notifier').dataset.count === '0';").await;
    }
    let (first_asked, second_asked) = (first.script(ASKED_FOR).await, second.script(ASKED_FOR).await);
    // From another node than the one that asked for the key.
    second.fill("#send-coins input[name=amount]", "25").await;
    second.click("#send-coins button").await;
    for browser in [&first, &second] {
        browser.until_text("#timeline li", "Coins are on their way").await;
        browser.until_text("#timeline li", "Coins arrived").await;
        browser.until_text("#balance", "25").await;
        assert_eq!(browser.count("#timeline li", "Coins arrived").await, 1);
        // Whoever asked for the key is who hears of its coins.
        for kind in ["seen", "confirmed"] {
            assert_eq!(browser.count(&format!("#timeline li[data-kind={kind}]"), "front-1").await, 1, "{kind}");
        }
    }
    house.assert_done(Done { keys: 1, coins: 1, ..Done::default() });
    // It was brought, not fetched: the page that sent the coins asked for that, the other for nothing, and neither's stream began again.
    assert_eq!(first.script(ASKED_FOR).await, first_asked);
    assert_eq!(second.script(ASKED_FOR).await, format!("{} /ask", second_asked.as_str().expect("a list")));
    // Not asserted: a clock says more of the machine than of the program. From the bank's commit to the page.
    let confirmed_at = house.confirmed_at_ms();
    for browser in [&first, &second] {
        let shown = "return Number(document.querySelector('#timeline li[data-kind=confirmed]').dataset.shownAtMs);";
        let shown_at = browser.script(shown).await.as_i64().expect("a time");
        eprintln!("shown {} ms after it was booked, behind {}", shown_at - confirmed_at, browser.text("#node").await);
    }
    first.screenshot(&picture("account.png")).await;
    second.screenshot(&picture("phone.png")).await;
    first.close().await;
    second.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn action_of_a_bank_that_is_killed_completes_by_itself_and_once() {
    let driver = driver_or_skip!();
    let mut house = House::open("bank-killed", "30").await;
    let browser = driver.browser(1_000, 900).await;
    house.sign_in(&browser, 1, "alice").await;
    // It has the action in its log, and has not begun with it.
    browser.post("/faults/pause", r#"{ "paused": true }"#).await;
    browser.click("#get-key").await;
    browser.until("return document.querySelector('#waiting li[data-step=guaranteed]') !== null;").await;
    house.kill_bank().await;
    browser.until_text("#link", "bank away").await;
    house.start_bank().await;
    browser.until_text("#timeline li", "New key").await;
    browser.until_text("#link", "bank online").await;
    assert_eq!(browser.count("#timeline li", "New key").await, 1);
    // Nothing comes a second time behind it.
    browser.click("#send-coins button").await;
    browser.until_text("#timeline li", "Coins arrived").await;
    assert_eq!(browser.count("#timeline li", "New key").await, 1);
    assert_eq!(browser.text("#balance").await, "25");
    house.assert_done(Done { keys: 1, coins: 1, ..Done::default() });
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn action_that_runs_when_its_bank_is_killed_completes_by_itself_and_once() {
    let driver = driver_or_skip!();
    let mut house = House::open("bank-killed-in-action", "30").await;
    let browser = driver.browser(1_000, 900).await;
    house.sign_in(&browser, 1, "alice").await;
    let begun = house.begun().await;
    // The handler has begun, and stands before its books.
    let held = house.hold_books();
    browser.click("#get-key").await;
    while house.begun().await == begun {}
    house.kill_bank().await;
    drop(held);
    house.assert_done(Done::default());
    house.start_bank().await;
    browser.until_text("#timeline li", "New key").await;
    browser.click("#send-coins button").await;
    browser.until_text("#timeline li", "Coins arrived").await;
    assert_eq!(browser.count("#timeline li", "New key").await, 1);
    house.assert_done(Done { keys: 1, coins: 1, ..Done::default() });
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn action_that_was_done_when_its_bank_is_killed_is_not_done_again() {
    let driver = driver_or_skip!();
    let mut house = House::open("bank-killed-after-it", "30").await;
    let (browser, other) = (driver.browser(1_000, 900).await, driver.browser(1_000, 900).await);
    house.sign_in(&browser, 1, "alice").await;
    house.sign_in(&other, 2, "alice").await;
    // The bank has it in its log, and nine in ten of its answers will not arrive.
    other.post("/faults/pause", r#"{ "paused": true }"#).await;
    browser.click("#get-key").await;
    browser.until("return document.querySelector('#waiting li[data-step=guaranteed]') !== null;").await;
    other.post("/faults/set", r#"{ "calls": 0, "answers": 0.9, "broadcasts": 0 }"#).await;
    other.post("/faults/pause", r#"{ "paused": false }"#).await;
    house.until_key_is_made();
    house.kill_bank().await;
    house.start_bank().await;
    browser.until_text("#timeline li", "New key").await;
    house.assert_done(Done { keys: 1, ..Done::default() });
    browser.click("#send-coins button").await;
    browser.until_text("#timeline li", "Coins arrived").await;
    assert_eq!(browser.count("#timeline li", "New key").await, 1);
    house.assert_done(Done { keys: 1, coins: 1, ..Done::default() });
    browser.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wish_is_cancelled_while_the_bank_is_down() {
    let driver = driver_or_skip!();
    let mut house = House::open("cancelled", "30").await;
    let (browser, phone) = (driver.browser(1_000, 900).await, driver.browser(390, 844).await);
    // Whom alice would pay is there.
    house.sign_in(&browser, 1, "bob").await;
    browser.click("#sign-out").await;
    browser.until("return document.getElementById('sign-in') !== null;").await;
    house.sign_in(&browser, 1, "alice").await;
    house.sign_in(&phone, 2, "alice").await;
    browser.click("#get-key").await;
    browser.until_text("#timeline li", "New key").await;
    browser.click("#send-coins button").await;
    browser.until_text("#timeline li", "Coins arrived").await;
    house.kill_bank().await;
    browser.until_text("#link", "bank away").await;
    browser.click("#get-key").await;
    browser.fill("#pay input[name=to]", "bob").await;
    browser.click("#pay button").await;
    for page in [&browser, &phone] {
        page.until("return document.querySelectorAll('#waiting li[data-step=accepted]').length === 2;").await;
        // The button comes when the wish has waited for some seconds.
        page.until("return document.querySelector('#waiting li:nth-child(2) button').style.visibility === 'visible';")
            .await;
    }
    browser.screenshot(&picture("waiting.png")).await;
    phone.screenshot(&picture("waiting-phone.png")).await;
    browser.click("#waiting li:nth-child(1) button").await;
    browser.until_text("#waiting li", "Cancelled").await;
    browser.until_text("#timeline li", "Get a key: cancelled before it began").await;
    // The other from behind another node: the neighbour that asked is told.
    phone.click("#waiting li[data-step=accepted] button").await;
    browser.until_text("#timeline li", "Pay 5 to bob: cancelled before it began").await;
    house.start_bank().await;
    browser.until_text("#link", "bank online").await;
    browser.fill("#pay input[name=to]", "nobody").await;
    browser.click("#pay button").await;
    browser.until_text("#timeline li", "there is nobody else of that name").await;
    // What was cancelled never ran; and it would have run otherwise.
    assert_eq!(browser.count("#timeline li", "New key").await, 1);
    assert_eq!(browser.text("#balance").await, "25");
    house.assert_done(Done { keys: 1, coins: 1, payments: 0 });
    browser.fill("#pay input[name=to]", "bob").await;
    browser.click("#pay button").await;
    browser.until_text("#timeline li[data-kind=paid]", "Paid to bob").await;
    house.assert_done(Done { keys: 1, coins: 1, payments: 1 });
    browser.close().await;
    phone.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neighbour_delivers_when_the_node_that_asked_is_down() {
    let driver = driver_or_skip!();
    let mut house = House::open("neighbour", "0.5").await;
    let (first, second) = (driver.browser(1_000, 900).await, driver.browser(1_000, 900).await);
    house.sign_in(&first, 1, "alice").await;
    house.sign_in(&second, 2, "alice").await;
    first.click("#get-key").await;
    second.until_text("#timeline li", "New key").await;
    house.kill_front(1).await;
    first.until_text("#link", "front node away").await;
    second.click("#send-coins button").await;
    second.until_text("#timeline li", "Coins are on their way").await;
    second.until_text("#timeline li", "Coins arrived").await;
    assert_eq!(second.count("#timeline li", "Coins arrived").await, 1);
    assert_eq!(second.count("#timeline li[data-kind=confirmed]", "front-1").await, 0, "front-1 is down");
    // Its browser comes back to its restart, and sees what happened.
    house.start_front(1).await;
    first.until_text("#timeline li", "Coins arrived").await;
    assert_eq!(first.count("#timeline li", "Coins arrived").await, 1);
    house.assert_done(Done { keys: 1, coins: 1, ..Done::default() });
    first.close().await;
    second.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wish_of_a_front_node_that_was_killed_is_found_answered_at_its_restart() {
    let driver = driver_or_skip!();
    let mut house = House::open("front-killed", "30").await;
    let (browser, other) = (driver.browser(1_000, 900).await, driver.browser(1_000, 900).await);
    house.sign_in(&browser, 1, "alice").await;
    house.sign_in(&other, 2, "alice").await;
    other.post("/faults/pause", r#"{ "paused": true }"#).await;
    // The bank has the first in its log and has not begun with it; of the second the node alone knows.
    browser.click("#get-key").await;
    browser.until("return document.querySelector('#waiting li[data-step=guaranteed]') !== null;").await;
    house.kill_bank().await;
    browser.until_text("#link", "bank away").await;
    browser.fill("#pay input[name=to]", "nobody").await;
    browser.click("#pay button").await;
    browser.until("return document.querySelectorAll('#waiting li').length === 2;").await;
    house.kill_front(1).await;
    browser.until_text("#link", "front node away").await;
    house.start_bank().await;
    other.until_text("#link", "bank online").await;
    house.start_front(1).await;
    for page in [&browser, &other] {
        page.until_text("#timeline li[data-kind=key]", "New key").await;
        page.until_text("#timeline li[data-kind=refused]", "there is nobody else of that name").await;
        page.until("return document.getElementById('notifier').dataset.count === '0';").await;
        assert_eq!(page.count("#timeline li", "New key").await, 1);
        assert_eq!(page.count("#timeline li[data-kind=unknown]", "").await, 0);
    }
    // It goes on as if nothing had been.
    browser.click("#send-coins button").await;
    browser.until_text("#timeline li", "Coins arrived").await;
    assert_eq!(browser.text("#balance").await, "25");
    house.assert_done(Done { keys: 1, coins: 1, ..Done::default() });
    browser.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_goes_on_without_the_tab_that_asked() {
    let driver = driver_or_skip!();
    let mut house = House::open("closed", "30").await;
    let browser = driver.browser(1_000, 900).await;
    house.sign_in(&browser, 1, "alice").await;
    house.kill_bank().await;
    browser.until_text("#link", "bank away").await;
    browser.click("#get-key").await;
    browser.until("return document.querySelector('#waiting li[data-step=accepted]') !== null;").await;
    browser.close().await;
    house.start_bank().await;
    let browser = driver.browser(1_000, 900).await;
    house.sign_in(&browser, 2, "alice").await;
    browser.until_text("#timeline li", "New key").await;
    assert_eq!(browser.count("#timeline li", "New key").await, 1);
    house.assert_done(Done { keys: 1, ..Done::default() });
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timeline_is_purged_with_the_password_and_with_no_other() {
    let driver = driver_or_skip!();
    let house = House::open("purge", "5").await;
    let (browser, other) = (driver.browser(1_000, 900).await, driver.browser(1_000, 900).await);
    house.sign_in(&browser, 1, "alice").await;
    house.sign_in(&other, 2, "alice").await;
    browser.click("#get-key").await;
    other.until_text("#timeline li", "New key").await;
    browser.click("#purge-box summary").await;
    browser.fill("#purge input[name=password]", "wrong horse").await;
    browser.click("#purge button").await;
    browser.until_text("#purge-problem", "that is not the password of this account; nothing was purged").await;
    assert_eq!(browser.count("#timeline li", "New key").await, 1);
    browser.fill("#purge input[name=password]", PASSWORD).await;
    browser.click("#purge button").await;
    for page in [&browser, &other] {
        page.until_text("#timeline li", "alice purged 2 entries with the account's password").await;
        assert_eq!(page.count("#timeline li", "").await, 1, "only the tombstone is left");
    }
    other.open(&house.url(3, "")).await;
    other.until_text("#timeline li", "alice purged 2 entries").await;
    assert_eq!(other.count("#timeline li", "").await, 1);
    browser.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_follows_its_browser_that_has_signed_in_as_somebody_else() {
    let driver = driver_or_skip!();
    let house = House::open("two-accounts", "5").await;
    let browser = driver.browser(1_000, 900).await;
    house.sign_in(&browser, 1, "alice").await;
    let of_alice = browser.tab().await;
    // The cookie is both tabs'.
    browser.open_tab().await;
    browser.open(&house.url(2, "")).await;
    browser.click("#sign-out").await;
    browser.until("return document.getElementById('sign-in') !== null;").await;
    house.sign_in(&browser, 2, "ben").await;
    browser.switch_to(&of_alice).await;
    browser.until_text("#user", "ben").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tabs_of_one_browser_all_live() {
    let driver = driver_or_skip!();
    let house = House::open("tabs", "5").await;
    let browser = driver.browser(1_000, 900).await;
    house.sign_in(&browser, 1, "alice").await;
    let mut tabs = vec![browser.tab().await];
    // More than the connections that a browser keeps to a server.
    for _ in 0..7 {
        tabs.push(browser.open_tab().await);
        browser.open(&house.url(1, "")).await;
        browser.until("return document.body.dataset.ready === 'true';").await;
    }
    browser.click("#get-key").await;
    for tab in &tabs {
        browser.switch_to(tab).await;
        browser.until_text("#timeline li", "New key").await;
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn name_that_somebody_has_is_not_given_to_another() {
    let driver = driver_or_skip!();
    let house = House::open("names", "5").await;
    let (alice, other) = (driver.browser(1_000, 900).await, driver.browser(1_000, 900).await);
    house.sign_in(&alice, 1, "alice").await;
    other.open(&house.url(2, "")).await;
    other.fill("#sign-in input[name=user]", "alice").await;
    other.fill("#sign-in input[name=password]", "some other password").await;
    other.click("#sign-in button").await;
    other.until_text("#problem", "that is not the password of this account").await;
    alice.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cables_can_be_pulled_on_the_fault_page() {
    let driver = driver_or_skip!();
    let mut house = House::open("faults", "30").await;
    let (page, faults) = (driver.browser(1_000, 900).await, driver.browser(1_000, 900).await);
    let phone = driver.browser(390, 844).await;
    house.sign_in(&page, 1, "alice").await;
    house.sign_in(&faults, 1, "alice").await;
    // There, back, and there again.
    faults.click("#to-faults").await;
    faults.click("#to-account").await;
    faults.until_text("#user", "alice").await;
    faults.click("#to-faults").await;
    faults.until_text("#bank", "Actions run").await;
    for slider in ["calls", "answers", "broadcasts"] {
        let set = "one.value = 0.5; one.dispatchEvent(new Event('input')); one.dispatchEvent(new Event('change'));";
        faults.script(&format!("const one = document.getElementById('{slider}'); {set}")).await;
    }
    let dropped =
        "return Number(document.querySelector('#front tr[data-name=frames_dropped] td:last-child').textContent) > 0
        && Number(document.querySelector('#bank tr[data-name=frames_dropped] td:last-child').textContent) > 0;";
    while faults.script(dropped).await != serde_json::json!(true) {
        page.fill("#pay input[name=to]", "nobody").await;
        page.click("#pay button").await;
        page.until("return document.getElementById('notifier').dataset.count === '0';").await;
    }
    faults.screenshot(&picture("faults.png")).await;
    phone.open(&house.url(2, "faults")).await;
    phone.until_text("#bank", "Actions run").await;
    phone.screenshot(&picture("faults-phone.png")).await;
    phone.close().await;
    faults.click("#cut").await;
    faults.click("#pause").await;
    faults.until_text("#pause", "go on").await;
    page.click("#get-key").await;
    faults.click("#crash").await;
    faults.until_text("#link", "bank away").await;
    house.start_bank().await;
    page.until_text("#timeline li", "New key").await;
    // It was told to die once, and does so once.
    faults.until_text("#link", "bank online").await;
    page.click("#send-coins button").await;
    page.until_text("#timeline li", "Coins arrived").await;
    assert_eq!(page.count("#timeline li", "New key").await, 1);
    house.assert_done(Done { keys: 1, coins: 1, ..Done::default() });
    page.close().await;
    faults.close().await;
}
