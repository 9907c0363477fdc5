//! `openclaw fs`: virtual files on the command line, with and without a gateway.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::json;

use crate::support::cli::Ran;
use crate::support::gateway::Home;

fn ok(ran: Ran) -> String {
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out
}

/// The names that `fs ls -r` lists, with sizes.
fn listed(home: &Home, more: &[&str]) -> Vec<String> {
    let args = [&["fs", "ls", "-r", "--json"], more].concat();
    let list = home.cli(&args).json();
    let entries = list["entries"].as_array().expect("entries");
    entries.iter().map(|entry| format!("{} {}", entry["path"].as_str().expect("a path"), entry["size"])).collect()
}

#[test]
fn the_same_commands_work_with_and_without_a_gateway() {
    let mut gateway = Home::new(json!({})).start();
    for round in ["with", "without"] {
        if round == "without" {
            gateway.stop();
        }
        let home = &gateway.home;
        std::fs::write(home.root().join("hello.txt"), format!("hello {round}\n")).expect("a file");
        let run = |args: &[&str]| ok(home.cli(&[&["fs"], args].concat()));
        let path = format!("{round}/hello.txt");
        assert!(run(&["put", "hello.txt", &format!("{round}/")]).starts_with("wrote "), "{round}");
        assert_eq!(run(&["cat", &path]), format!("hello {round}\n"));
        let snapshot = format!("snap-{round}");
        run(&["snapshot", &snapshot, "--note", "a note"]);
        assert!(run(&["snapshot"]).contains("a note"));
        std::fs::write(home.root().join("hello.txt"), "changed\n").expect("a file");
        run(&["put", "hello.txt", &path]);
        run(&["mkdir", &format!("{round}/empty/deep")]);
        run(&["mv", &path, &format!("{round}/moved.txt")]);
        let diff = run(&["diff", &snapshot, "--path", round]);
        for part in ["deleted", "created", "hello.txt", "moved.txt", "empty/deep"] {
            assert!(diff.contains(part), "{part} is not in {diff}");
        }
        assert_eq!(run(&["cat", &path, "--at", &snapshot]), format!("hello {round}\n"));
        run(&["restore", round, "--at", &snapshot]);
        assert_eq!(run(&["cat", &path]), format!("hello {round}\n"));
        assert_eq!(run(&["history", &path]).lines().count(), 4, "the header and three versions");
        assert!(run(&["usage"]).contains("namespaces  scratch"));
        assert!(run(&["ls", round]).contains("hello.txt"));
        let target = format!("out-{round}");
        assert!(run(&["export", &target]).starts_with("exported "));
        let exported = std::fs::read_to_string(home.root().join(&target).join(&path)).expect("an exported file");
        assert_eq!(exported, format!("hello {round}\n"));
        let again = home.cli(&["fs", "export", &target]);
        assert_eq!(again.code, 1, "{again:?}");
        assert!(again.error().contains("is not empty"), "{again:?}");
        run(&["rm", "-r", round]);
        run(&["snapshot", &snapshot, "--drop"]);
        assert_eq!(listed(home, &[]), Vec::<String>::new());
    }
}

#[test]
fn errors_read_the_same_with_and_without_a_gateway() {
    let mut gateway = Home::new(json!({})).start();
    let cases: [(&[&str], i32); 9] = [
        (&["fs", "cat", "none"], 3),
        (&["fs", "rm", "none"], 3),
        (&["fs", "put", "nowhere.txt"], 3),
        (&["fs", "ls", "--agent", "nobody"], 3),
        (&["fs", "ls", "--namespace", "elsewhere"], 2),
        (&["fs", "restore", "--at", "never"], 3),
        (&["fs", "cat", "x", "--at", "99"], 3),
        (&["fs", "mkdir", "../x"], 4),
        (&["fs", "mkdir", ".git/hooks"], 4),
    ];
    let look = |home: &Home| -> Vec<String> {
        let errors = cases.iter().map(|(args, code)| {
            let ran = home.cli(args);
            assert_eq!(ran.code, *code, "{ran:?}");
            ran.error()
        });
        errors.collect()
    };
    let with = look(&gateway.home);
    gateway.stop();
    assert_eq!(look(&gateway.home), with);
    insta::assert_snapshot!(with[0], @"
    error: none does not exist
      why: nothing has that name
      fix: List the directory to see which names exist
    ");
}

#[test]
fn bytes_of_any_kind_and_size_survive() {
    let gateway = Home::new(json!({})).start();
    let home = &gateway.home;
    let bytes: Vec<u8> =
        (0..64 * 1024 * 1024_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(home.root().join("big.bin"), &bytes).expect("a file");
    let mut permissions = std::fs::metadata(home.root().join("big.bin")).expect("its mode").permissions();
    permissions.set_mode(0o755);
    std::fs::set_permissions(home.root().join("big.bin"), permissions).expect("it can be changed");
    ok(home.cli(&["fs", "put", "big.bin", "--timeout", "60000"]));
    assert_eq!(listed(home, &[]), ["big.bin 67108864"]);
    let printed = home.run(&["fs", "cat", "big.bin", "--timeout", "60000"]);
    assert!(printed.status.success());
    assert!(printed.stdout == bytes, "the bytes came back");
    ok(home.cli(&["fs", "export", "out", "--timeout", "60000"]));
    assert!(std::fs::read(home.root().join("out/big.bin")).expect("a file") == bytes);
    let mode = std::fs::metadata(home.root().join("out/big.bin")).expect("its mode").permissions().mode();
    assert_eq!(mode & 0o111, 0o111, "it can still be executed");

    let mut child = home
        .command(&["fs", "put", "-", "from/stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let given = b"\0\xff\xfe line\r\n\x1b[2J";
    child.stdin.take().expect("stdin").write_all(given).expect("it reads");
    assert!(child.wait().expect("it ends").success());
    assert_eq!(home.run(&["fs", "cat", "from/stdin"]).stdout, given);
    assert_eq!(home.cli(&["fs", "cat", "from/stdin", "--json"]).json()["encoding"], "base64");
    ok(home.cli(&["fs", "put", "-", "empty"]));
    assert_eq!(home.run(&["fs", "cat", "empty"]).stdout, b"");
    let nameless = home.cli(&["fs", "put", "-"]);
    assert_eq!(nameless.code, 2, "{nameless:?}");
}

#[test]
fn an_agents_mode_and_flags_choose_the_tree() {
    let config = json!({"agents": {"list": [{"id": "main", "default": true}, {"id": "two"}]}});
    let home = Home::new(config);
    std::fs::write(home.root().join("f"), "x").expect("a file");
    ok(home.cli(&["fs", "put", "f", "scratch-of-main"]));
    ok(home.cli(&["fs", "put", "f", "workspace-of-two", "--agent", "two", "--namespace", "workspace"]));
    ok(home.cli(&["fs", "put", "f", "of-run", "--namespace", "run/abc"]));
    assert_eq!(listed(&home, &[]), ["scratch-of-main 1"]);
    assert_eq!(listed(&home, &["--namespace", "scratch", "--agent", "main"]), ["scratch-of-main 1"]);
    assert_eq!(listed(&home, &["--agent", "two", "--namespace", "workspace"]), ["workspace-of-two 1"]);
    assert_eq!(listed(&home, &["--agent", "two"]), Vec::<String>::new());
    assert_eq!(listed(&home, &["--namespace", "run/abc"]), ["of-run 1"]);
}
