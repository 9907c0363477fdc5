//! All probes, for every user, level and state of the kernel, beside their positive controls.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::place::{Namespaces, Place, Ran, Who, users};
use super::table::{Expected, Row, rows};

/// What came of each probe: whether it was allowed, and the system's word.
type Results = BTreeMap<String, (bool, String)>;

fn parse(text: &str) -> Results {
    text.lines()
        .filter_map(|line| {
            let mut parts = line.splitn(3, '\t');
            let (probe, result, detail) = (parts.next()?, parts.next()?, parts.next().unwrap_or_default());
            Some((probe.to_owned(), (result == "ALLOWED", detail.to_owned())))
        })
        .collect()
}

fn arguments<'a>(attacker: &'a str, rows: &'a [Row]) -> Vec<&'a str> {
    std::iter::once(attacker).chain(rows.iter().map(|row| row.probe.as_str())).collect()
}

/// Without a sandbox, with open descriptors as a careless parent leaves them.
fn control(place: &Place, rows: &[Row]) -> Results {
    let attacker = place.workspace().join("attacker").display().to_string();
    let mut argv = vec!["sh", "-c", "exec 5</etc/passwd 9</etc/passwd; exec \"$@\"", "sh"];
    argv.extend(arguments(&attacker, rows));
    let ran = Ran::of(&place.on_host(&argv));
    parse(&ran.stdout)
}

fn confined(place: &Place, level: &str, backend: &[&str], rows: &[Row]) -> Result<Results, Ran> {
    let mut options = vec!["--level", level];
    options.extend(backend);
    let output = place.run(&options, &arguments("./attacker", rows));
    let ran = Ran::of(&output);
    if ran.code == Some(0) { Ok(parse(&ran.stdout)) } else { Err(ran) }
}

/// Compares with the table; a line for the attack table and every difference.
fn judge(
    name: &str,
    rows: &[Row],
    control: &Results,
    results: &Results,
    expected: fn(&Row) -> Expected,
) -> (String, Vec<String>) {
    let (mut tried, mut allowed, mut wrong, mut open) = (0, 0, Vec::new(), Vec::new());
    for row in rows {
        let Some((passed, detail)) = results.get(&row.probe) else {
            wrong.push(format!("{name}: {} {} gave no answer", row.number, row.probe));
            continue;
        };
        let possible = control.get(&row.probe).is_some_and(|(passed, _)| *passed);
        if expected(row) == Expected::Denied || row.number == "A25" {
            // A probe that this user cannot do anyway proves nothing about the sandbox.
            tried += usize::from(possible);
            allowed += usize::from(*passed);
            if *passed {
                open.push(row.probe.clone());
            }
        }
        if *passed != (expected(row) == Expected::Allowed) && (*passed || possible) {
            let what = if *passed { "was allowed" } else { "was denied" };
            wrong.push(format!("{name}: {} {} {what}: {detail}", row.number, row.probe));
        }
    }
    (format!("{name:<44} {allowed:>3} of {tried:>3} allowed  {}", open.join(" ")), wrong)
}

#[test]
fn every_probe_meets_its_wall() {
    let mut table = String::from("attack probes: allowed at a level, of those that the same user can do without it\n");
    let mut wrong = Vec::new();
    let mut controlled: BTreeMap<String, bool> = BTreeMap::new();
    for who in users() {
        let place = Place::new(who, Namespaces::Allowed);
        let rows = rows(&place);
        let control = control(&place, &rows);
        for row in &rows {
            let generic = generic(&row.probe);
            *controlled.entry(generic).or_default() |=
                row.no_control.is_some() || control.get(&row.probe).is_some_and(|(passed, _)| *passed);
        }
        let done = control.values().filter(|(passed, _)| *passed).count();
        writeln!(table, "{:<44} {done:>3} of {:>3} allowed", format!("{who:?}, no sandbox"), rows.len())
            .expect("a string");
        for (level, expected) in
            [("strict", (|row| row.strict) as fn(&Row) -> Expected), ("relaxed", |row| row.relaxed)]
        {
            let name = format!("{who:?}, {level}");
            match confined(&place, level, &[], &rows) {
                Ok(results) => {
                    let (line, differences) = judge(&name, &rows, &control, &results, expected);
                    table.push_str(&line);
                    table.push('\n');
                    wrong.extend(differences);
                }
                Err(ran) => wrong.push(format!("{name}: {ran:?}")),
            }
        }
    }
    eprintln!("{table}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let without: Vec<&String> = controlled.iter().filter(|(_, passed)| !**passed).map(|(probe, _)| probe).collect();
    assert!(!users().contains(&Who::Root) || without.is_empty(), "no user can do these without a sandbox: {without:?}");
}

/// A probe without the names of this place, so that users can be compared.
fn generic(probe: &str) -> String {
    let words = probe.split('|').map(|word| {
        let word =
            word.split_once("/attacked-").map_or(word, |(_, rest)| rest.split_once('/').map_or("", |(_, rest)| rest));
        if word.bytes().all(|byte| byte.is_ascii_digit()) { "N" } else { word }
    });
    words.collect::<Vec<_>>().join("|")
}

#[test]
fn without_user_namespaces_nothing_is_promised_that_does_not_hold() {
    for who in users() {
        let place = Place::new(who, Namespaces::Blocked);
        let rows = rows(&place);
        let control = control(&place, &rows);
        assert!(!control["unshare-user"].0, "user namespaces are blocked for this test");
        assert!(
            control[&format!("tcp|127.0.0.1|{}", place.tcp.local_addr().unwrap().port())].0,
            "the positive control"
        );
        // Strict needs what only namespaces give.
        let refused = confined(&place, "strict", &[], &rows).expect_err("strict cannot be had");
        assert_eq!(refused.code, Some(125), "{refused:?}");
        assert!(
            refused.stderr.contains("metadata_confined") && refused.stderr.contains("user namespaces"),
            "{}",
            refused.stderr
        );
        assert!(refused.stdout.is_empty(), "the command did not start: {}", refused.stdout);
        // Relaxed is what Landlock and seccomp can hold; metadata is not part of its contract.
        let metadata = |row: &Row| {
            ["stat|", "chmod|", "utime|", "setxattr|", "chown|"].iter().any(|name| row.probe.starts_with(name))
        };
        // There is no private `/tmp` (TMPDIR names a directory instead) and no `/proc`.
        let absent = |row: &Row| ["create|/tmp/made", "read|/proc/self/status"].contains(&row.probe.as_str());
        let rows: Vec<Row> = rows.into_iter().filter(|row| !metadata(row) && !absent(row)).collect();
        let results = confined(&place, "relaxed", &[], &rows).expect("relaxed runs");
        let (line, wrong) =
            judge(&format!("{who:?}, relaxed, no user namespaces"), &rows, &control, &results, |row| row.relaxed);
        eprintln!("{line}");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// All probes at level strict with a backend that is asked for by name.
pub(super) fn backend(who: Who, backend: &str) {
    let place = Place::new(who, Namespaces::Allowed);
    let rows = rows(&place);
    let control = control(&place, &rows);
    let results = confined(&place, "strict", &["--backend", backend], &rows).expect("strict runs");
    let (line, wrong) = judge(&format!("{who:?}, strict, {backend}"), &rows, &control, &results, |row| row.strict);
    eprintln!("{line}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
