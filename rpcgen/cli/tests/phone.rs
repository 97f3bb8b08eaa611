//! The pages of `rpcgen doc` in a browser as wide as a phone: nothing stands beyond its edge. Where there is no browser, it says so and is
//! done.

use std::path::Path;
use std::process::Command;

/// CSS pixels.
const WIDTH: u32 = 390;

/// Names, types, defaults and code that are longer than a line of a phone and have no blanks to break them at.
const LONG: &str = r#"
package company.internal.accounting.settlement;

/// Has unbroken_words_in_its_documentation_that_leave_no_place_to_be_broken_at_all_and_go_on_and_on.
struct SettlementInstructionWithAVeryLongName {
    settlement_instruction_reference_number_of_the_counterparty: string? @max(128),
    amounts_by_currency_and_counterparty: {string @max(64): [SettlementInstructionLegOfALongName] @max(1000)} = {},
    secret: string = "a default value that is long and says something about the world at large" @sensitive,
    old: u64 = 0 @deprecated("use `settlement_instruction_reference_number_of_the_counterparty` instead of this"),
}
struct SettlementInstructionLegOfALongName { amount: u128 }
enum ReasonOfASettlementThatHasFailedInTheEnd {
    insufficient_funds_in_the_settlement_account { settlement_account_identifier_of_the_counterparty: string },
}
const MAXIMUM_NUMBER_OF_SETTLEMENT_INSTRUCTIONS_OF_A_DAY: u64 = 18446744073709551615;
/// ```
/// let it = a_rather_long_line_of_code(with, arguments, that, go, on, and, on, for, ever, and, ever, and, ever);
/// ```
service SettlementInstructionServiceOfTheCompany {
    @persist(disk) @deadline(30s)
    action submit_settlement_instruction_for_approval(app_id: AppId, instruction: SettlementInstructionWithAVeryLongName)
        -> (settlement_instruction_identifier: uuid, reason: ReasonOfASettlementThatHasFailedInTheEnd)
        fails { duplicate_settlement_instruction_reference_number };
    broadcast settlement_instruction_was_changed_by_somebody(app_id: AppId, settlement_instruction_identifier: uuid)
        to origin of submit_settlement_instruction_for_approval by settlement_instruction_identifier;
}
"#;

/// Browsers make no window as narrow: the page stands in a frame.
fn frame() -> String {
    format!(
        "<!doctype html><iframe id=f src=page.html style='border:0;width:{WIDTH}px;height:900px'></iframe><pre id=o></pre>\
         <script>f.onload = () => {{ o.textContent = 'is ' + f.contentDocument.documentElement.scrollWidth + ' wide'; }}</script>"
    )
}

#[test]
fn pages_fit_a_phone_however_long_the_names_are() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("phone");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("long.rpc"), LONG).unwrap();
    std::fs::write(folder.join("frame.html"), frame()).unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_rpcgen"))
        .args(["doc", "long.rpc", "--out", "page.html"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let page = folder.join("frame.html");
    let browser = Command::new("chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"])
        .args(["--virtual-time-budget=5000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .output();
    let Ok(shown) = browser else {
        eprintln!("skipped: there is no chromium");
        return;
    };
    let shown = String::from_utf8_lossy(&shown.stdout);
    let width: u32 =
        shown.split_once(">is ").and_then(|(_, rest)| rest.split_once(" wide")).unwrap().0.parse().unwrap();
    assert!(width <= WIDTH, "the page is {width} pixels wide");
}
