//! The findings of each case, both ways, as people see them.

use std::collections::BTreeSet;
use std::fs;

use rpcgen::Config;
use rpcgen::breaking::{Level, RULES, Report};
use rpcgen::load::Memory;

use super::{folder, generated};

fn report(case: &str, from: &str, to: &str) -> Report {
    let check = |version: &str| {
        let name = format!("{version}.rpc");
        let text = fs::read_to_string(folder().join(case).join(&name)).unwrap();
        Config::new().check_in(&Memory::default().with(&name, text), &[&name])
    };
    Report::new(check(from), check(to)).unwrap_or_else(|error| panic!("{case}: {error}"))
}

#[test]
fn findings_are_what_is_committed() {
    let mut wrong = Vec::new();
    for case in generated::CASES {
        let there = report(case.name, "old", "new").to_human("", false);
        let back = report(case.name, "new", "old").to_human("", false);
        let actual = format!("== from old.rpc to new.rpc\n\n{there}== from new.rpc to old.rpc\n\n{back}");
        let path = folder().join(case.name).join("findings.txt");
        let expected = fs::read_to_string(&path).ok();
        if expected.as_deref() == Some(actual.as_str()) {
            continue;
        }
        let update = std::env::var_os("UPDATE").is_some();
        if update || expected.is_none() {
            fs::write(&path, &actual).unwrap();
        }
        if !update {
            wrong.push(format!("{} differs (UPDATE=1 rewrites it)\n{actual}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_a_case_of_its_name_that_breaks_it() {
    for rule in RULES {
        let report = report(rule.id, "old", "new");
        let found: BTreeSet<&str> = report.findings().iter().map(|finding| finding.rule.id).collect();
        assert!(found.contains(rule.id), "{}: {found:?}", rule.id);
        assert!(report.findings().iter().all(|finding| !finding.breaks.is_empty()));
    }
}

#[test]
fn what_is_fine_has_no_findings() {
    for case in generated::CASES.iter().filter(|case| case.name.starts_with("fine_")) {
        assert_eq!(report(case.name, "old", "new").findings(), [], "{}", case.name);
    }
}

#[test]
fn the_reference_has_every_rule() {
    let path = folder().join("../../../docs/evolution.md");
    let page = fs::read_to_string(&path).unwrap();
    let row = |level| {
        let rules = RULES.iter().filter(move |rule| rule.level == level);
        rules.map(|rule| format!("| `{}` | {} | {} |\n", rule.id, rule.purpose, rule.instead)).collect::<String>()
    };
    for table in [row(Level::Breaking), row(Level::Caution)] {
        assert!(page.contains(&table), "docs/evolution.md should have\n{table}");
    }
}

#[test]
fn json_has_the_place_in_both_versions() {
    let json: serde_json::Value = serde_json::from_str(&report("field_type", "old", "new").to_json()).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["breaking"], 2);
    let first = &json["findings"][0];
    assert_eq!(first["rule"], "field_type");
    assert_eq!(first["breaks"], serde_json::json!(["old_client", "old_server", "stored_log"]));
    assert_eq!((&first["old"]["file"], &first["old"]["line"]), (&"old.rpc".into(), &7.into()));
    assert_eq!((&first["new"]["name"], &first["new"]["column"]), (&"shop.Item.count".into(), &5.into()));
}
