//! Commands that ask a gateway: one that runs, one that does not, one that wants a secret, one that stays silent.

use std::io::Write as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::cli::{Ran, Running};
use crate::support::gateway::Home;
use crate::support::provider::{FakeProvider, completions};
use crate::support::{http, until};

#[test]
fn status_tells_in_at_most_fifteen_lines_with_and_without_a_gateway() {
    let provider = FakeProvider::start();
    provider.always(completions::text(&["yes"]));
    let mut gateway = Home::new(provider.config("openai-completions")).start();
    for number in 0..6 {
        gateway.turn(&format!("agent:main:s{number}"), "hello there", &format!("status-{number}"));
    }
    let lines = |ran: &Ran| {
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
        assert!(ran.out.lines().count() <= 15, "{ran:?}");
        ran.text()
    };
    insta::assert_snapshot!(lines(&gateway.home.cli(&["status"])).replace(env!("CARGO_PKG_VERSION"), "[VERSION]"), @"
    gateway   running  ws://127.0.0.1:[PORT]  [VERSION]  up [TIME]
    agents    main
    model     fake/model-a
    sessions  6  (openclaw sessions)
              agent:main:s5  just now  hello there
              agent:main:s4  just now  hello there
              agent:main:s3  just now  hello there
    store     [SIZE]  wal [SIZE]  [ROOT]/state/openclaw.sqlite
    ");
    let whole = gateway.home.cli(&["status", "--all", "--json"]).json();
    assert_eq!((whole["gateway"]["reachable"].as_bool(), whole["sessions"]["count"].as_u64()), (Some(true), Some(6)));
    assert_eq!(whole["gateway"]["pid"], gateway.pid());
    assert!(whole["gateway"]["status"].is_object());
    insta::assert_snapshot!(lines(&gateway.home.cli(&["gateway", "status"])).replace(env!("CARGO_PKG_VERSION"), "[VERSION]"), @"
    gateway   running  [VERSION]  up [TIME]
    url       ws://127.0.0.1:[PORT]
    config    [ROOT]/openclaw.json
    state     [ROOT]
    log       [ROOT]/logs/openclaw.log
    ");
    insta::assert_snapshot!(lines(&gateway.home.cli(&["health"])), @"
    ok  gateway at ws://127.0.0.1:[PORT]  [TIME]
    agents    main
    sessions  6
    ");
    let wrong = gateway.home.cli(&["status", "--token", "wrong"]);
    assert!(wrong.out.contains("gateway   not usable") && wrong.out.starts_with("alert "), "{wrong:?}");
    assert!(!wrong.out.contains("openclaw gateway run"), "it runs already: {wrong:?}");

    gateway.stop();
    insta::assert_snapshot!(lines(&gateway.home.cli(&["status"])), @"
    gateway   not running  ws://127.0.0.1:[PORT]  (start: openclaw gateway run)
    agents    main
    model     fake/model-a
    sessions  6  (openclaw sessions)
              agent:main:s5  just now  hello there
              agent:main:s4  just now  hello there
              agent:main:s3  just now  hello there
    store     [SIZE]  wal [SIZE]  [ROOT]/state/openclaw.sqlite
    ");
    let gone = gateway.home.cli(&["health"]);
    assert_eq!(gone.code, 5);
    insta::assert_snapshot!(gone.error(), @"
    error: cannot reach the gateway at ws://127.0.0.1:[PORT] (connection refused)
      why: nothing listens on that port
      fix: openclaw gateway run        (is one running already? openclaw doctor)
    ");
    assert_eq!(gateway.home.cli(&["gateway", "status"]).code, 0);
    let required = gateway.home.cli(&["gateway", "status", "--require-rpc", "--json"]);
    let object = required.json();
    assert_eq!(
        (required.code, object["ok"].as_bool(), object["error"]["code"].as_str()),
        (5, Some(false), Some("unreachable"))
    );
}

#[test]
fn any_method_can_be_called_and_its_error_is_the_commands() {
    let gateway = Home::new(json!({})).start();
    let call = |args: &[&str]| {
        let args: Vec<&str> = ["gateway", "call"].iter().chain(args).copied().collect();
        gateway.home.cli(&args)
    };
    let found = call(&["sessions.list", "--params", r#"{"limit": 5}"#]);
    assert_eq!((found.code, found.json()["sessions"].clone()), (0, json!([])), "{found:?}");
    assert!(call(&["rpc.discover"]).json()["methods"].as_array().is_some_and(|methods| methods.len() > 20));

    let unknown = call(&["sessions.lst"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    assert!(unknown.err.contains("sessions.list"), "{unknown:?}");
    let missing = call(&["sessions.describe", "--params", r#"{"key": "zz"}"#]);
    assert_eq!(missing.code, 3);
    insta::assert_snapshot!(missing.error(), @r#"
    error: there is no session "agent:main:zz"
      why: nothing has that name
      fix: sessions.list shows those there are; a message to the key makes it
    "#);
    let wrong = call(&["sessions.list", "--params", r#"{"limit": "x"}"#, "--json"]);
    assert_eq!((wrong.code, wrong.json()["error"]["code"].as_str()), (2, Some("invalid_input")), "{wrong:?}");
    let listed = call(&["sessions.list", "--params", "[1]"]);
    assert_eq!(listed.code, 2, "{listed:?}");
}

/// Starts the gateway with these flags and waits until it answers.
fn start(home: &Home, more: &[&str]) -> Running {
    let args: Vec<&str> = ["gateway", "run"].iter().chain(more).copied().collect();
    let running = Running::start(&mut home.command(&args));
    until("the gateway is ready", || {
        let stream = std::net::TcpStream::connect(("127.0.0.1", home.port));
        stream.is_ok().then(|| http::get(home.port, "/ready")).filter(|reply| reply.status == 200)
    });
    running
}

fn stop(gateway: Running) -> Ran {
    gateway.signal(Signal::SIGTERM);
    let ended = gateway.end();
    assert_eq!(ended.code, 0, "{ended:?}");
    ended
}

#[test]
fn a_gateway_with_a_password_wants_the_password() {
    let home = Home::new(json!({}));
    std::fs::write(home.root().join("password"), "correct horse\n").expect("a file");
    let gateway = start(&home, &["--password-file", "password"]);
    for (args, code) in [
        (&["health"][..], 4),
        (&["health", "--password", "correct horse"], 0),
        (&["health", "--password", "wrong"], 4),
        (&["agent", "-m", "hello", "--password", "correct horse"], 0),
        (&["logs", "--password", "correct horse"], 0),
    ] {
        let ran = home.cli(args);
        assert_eq!(ran.code, code, "{args:?}: {ran:?}");
    }
    assert_eq!(home.cli_with_env(&["health"], "OPENCLAW_GATEWAY_PASSWORD", "correct horse").code, 0);
    insta::assert_snapshot!(home.cli(&["health"]).error(), @"
    error: the gateway at ws://127.0.0.1:[PORT] refused us
      why: it wants a token or password and none was found
      fix: pass --token or --password (OPENCLAW_GATEWAY_TOKEN, OPENCLAW_GATEWAY_PASSWORD); the token made on the first start is in <state>/state/gateway-token on its machine
    ");
    let ended = stop(gateway);
    assert!(ended.err.contains("password   as configured") && !ended.err.contains("horse"), "{ended:?}");

    // The same by configuration: then this machine's commands find it by themselves.
    let config = json!({"gateway": {"port": home.port, "auth": {"mode": "password", "password": "correct horse"}},
        "models": {"discoverLocal": false}});
    std::fs::write(home.root().join("openclaw.json"), config.to_string()).expect("a file");
    let gateway = start(&home, &[]);
    assert_eq!(home.cli(&["health"]).code, 0);
    stop(gateway);

    let empty = home.root().join("empty");
    std::fs::write(&empty, "\n").expect("a file");
    let refused = home.cli(&["gateway", "run", "--password-file", "empty"]);
    assert_eq!((refused.code, refused.out.as_str()), (8, ""), "{refused:?}");
    assert_eq!(home.cli(&["gateway", "run", "--password-file", "nothing"]).code, 3);
    assert_eq!(home.cli(&["gateway", "run", "--auth", "magic"]).code, 8);
}

#[test]
fn a_gateway_without_auth_says_so_and_answers_everybody_here() {
    let home = Home::new(json!({}));
    let gateway = start(&home, &["--auth", "none"]);
    assert_eq!(home.cli(&["health"]).code, 0);
    assert!(!home.root().join("state/gateway-token").exists());
    let ended = stop(gateway);
    assert!(ended.err.contains("auth       none: every program on this machine may use it"), "{ended:?}");

    let gateway = start(&home, &["--token", "given-by-hand", "--json"]);
    assert_eq!(home.cli(&["health"]).code, 4);
    assert_eq!(home.cli_with_env(&["health"], "OPENCLAW_GATEWAY_TOKEN", "given-by-hand").code, 0);
    let ended = stop(gateway);
    let ready = ended.json();
    assert_eq!(
        (ready["event"].as_str(), ready["port"].as_u64()),
        (Some("ready"), Some(u64::from(home.port))),
        "{ready}"
    );
    assert!(!ended.out.contains("given-by-hand"));
}

#[test]
fn the_log_is_read_from_the_gateway_then_from_the_file_and_followed() {
    let mut gateway = Home::new(json!({})).start();
    let path = gateway.home.root().join("logs/openclaw.log");
    // It answers a moment before it writes that line.
    until("the log says so", || std::fs::read_to_string(&path).ok().filter(|text| text.contains("gateway ready")));
    let from_gateway = gateway.home.cli(&["logs"]);
    assert_eq!((from_gateway.code, from_gateway.err.as_str()), (0, ""), "{from_gateway:?}");
    assert!(from_gateway.out.contains("gateway ready"), "{from_gateway:?}");
    // What the sandbox can do is told behind it, when it has been tried out.
    until("the sandbox was tried out", || {
        std::fs::read_to_string(&path).ok().filter(|text| text.contains("commands run in a sandbox"))
    });
    let object = gateway.home.cli(&["logs", "--limit", "2", "--json"]).json();
    assert_eq!((object["count"].as_u64(), object["lines"][0]["message"].as_str()), (Some(2), Some("gateway ready")));

    // Followed across the gateway's end: its last words come from the file.
    let mut following = Running::start(&mut gateway.home.command(&["logs", "--follow", "--interval", "50", "--utc"]));
    following.wait_out("gateway ready");
    gateway.stop();
    following.wait_err("the gateway has stopped: reading ");
    following.wait_out("the gateway shuts down");
    assert!(following.is_running());
    let mut log = std::fs::OpenOptions::new().append(true).open(&path).expect("the log");
    let line = json!({"time": "2026-11-20T13:18:31.250Z", "level": "warn", "subsystem": "test", "message": "one\u{1b}[2J more", "n": 7});
    writeln!(log, "{line}").expect("written");
    following.wait_out("13:18:31Z warn  test  one\u{fffd}[2J more  n=7");
    drop(following);

    let from_file = gateway.home.cli(&["logs", "--limit", "1", "--jsonl"]);
    assert_eq!(from_file.json_lines(), [line]);
    assert!(from_file.err.starts_with("no gateway is running: reading "), "{from_file:?}");
    std::fs::remove_file(path).expect("our own file");
    let empty = gateway.home.cli(&["logs"]);
    assert_eq!((empty.code, empty.out.as_str()), (0, ""), "{empty:?}");
    assert!(empty.err.ends_with("the log is empty\n"), "{empty:?}");
}

#[test]
fn a_silent_gateway_is_waited_for_aloud_and_not_forever() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    // Accepts and keeps every connection, and never says a word.
    std::thread::spawn(move || listener.incoming().map_while(Result::ok).collect::<Vec<_>>());
    let home = Home::new(json!({"gateway": {"port": address.port()}}));
    let port = address.port().to_string();
    let began = Instant::now();
    let mut waiting = Running::start(&mut home.command(&["health", "--port", &port, "--timeout", "1500"]));
    waiting.wait_err("waiting for the gateway at ");
    let noticed = began.elapsed();
    assert!(waiting.is_running(), "the line comes while it waits");
    assert!(noticed >= Duration::from_millis(300), "{noticed:?}");
    let ended = waiting.end();
    assert!(began.elapsed() >= Duration::from_millis(1_500));
    assert_eq!((ended.code, ended.out.as_str()), (6, ""), "{ended:?}");
    let told = ended.err.replace(&port, "[PORT]");
    insta::assert_snapshot!(told, @"
    waiting for the gateway at ws://127.0.0.1:[PORT] …
    error: the gateway at ws://127.0.0.1:[PORT] did not answer within 1.5 s
      why: it is busy, or something else holds that port and stays silent
      fix: try again with a larger --timeout (milliseconds); openclaw logs shows what it does
    ");

    std::thread::scope(|scope| {
        for (args, code) in [
            (&["gateway", "call", "health"][..], 6),
            (&["logs"], 6),
            (&["status"], 0),
            (&["gateway", "status"], 0),
            (&["gateway", "status", "--require-rpc"], 6),
        ] {
            let (home, port) = (&home, &port);
            scope.spawn(move || {
                let args: Vec<&str> =
                    args.iter().copied().chain(["--port", port, "--timeout", "400", "--quiet"]).collect();
                let ran = home.cli(&args);
                assert_eq!(ran.code, code, "{args:?}: {ran:?}");
                assert!(!ran.err.contains("waiting for"), "{args:?}: {ran:?}");
                assert!(!ran.out.contains("openclaw gateway run"), "it would not help: {ran:?}");
            });
        }
    });
    let json = home.cli(&["health", "--port", &port, "--timeout", "50", "--json"]);
    assert_eq!((json.code, json.json()["error"]["code"].as_str()), (6, Some("timeout")), "{json:?}");
}
