//! Attacks of more than one step, at level strict, by every user this machine has.

use std::process::Stdio;

use super::place::{CANARY, Namespaces, Place, Ran, Who, copy, eventually, processes_with, users};

fn each(test: impl Fn(&Place)) {
    for who in users() {
        test(&Place::new(who, Namespaces::Allowed));
    }
}

/// A number of seconds that names this test's sleepers and nobody else's.
fn marked_seconds(place: &Place, which: u32) -> String {
    let port = place.tcp.local_addr().expect("an address").port();
    format!("{}.{which}{port}", 300 + which)
}

#[test]
fn the_environment_is_the_allow_list() {
    each(|place| {
        let control = Ran::of(&place.on_host(&["env"]));
        assert!(control.stdout.contains(CANARY), "the positive control: {control:?}");
        let ran = place.strict("env; cat /proc/self/environ | tr '\\0' '\\n'");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(!ran.stdout.contains(CANARY) && !ran.stdout.contains("OPENCLAW"), "{ran:?}");
        for line in ran.stdout.lines() {
            let name = line.split('=').next().unwrap_or_default();
            let known = [
                "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "TMPDIR", "TZ", "PWD", "OLDPWD", "SHLVL",
                "_",
            ];
            assert!(known.contains(&name) || name.starts_with("LC_"), "{line}");
        }
    });
}

#[test]
fn no_privilege_is_left_and_none_can_be_gained() {
    each(|place| {
        let ran = place.strict("cat /proc/self/status; id -u; ls -ld /proc/self/fd/* | wc -l");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert!(ran.stdout.contains(&format!("{set}:\t0000000000000000")), "{set}: {ran:?}");
        }
        assert!(ran.stdout.contains("NoNewPrivs:\t1") && ran.stdout.contains("Seccomp:\t2"), "{ran:?}");
        assert!(ran.stdout.contains("\n1000\n"), "{ran:?}");
        if place.who == Who::Root {
            // A set-user-ID program that somebody else put into the workspace.
            let planted = place.workspace().join("planted");
            copy("/usr/bin/id".as_ref(), &planted);
            std::fs::set_permissions(&planted, std::os::unix::fs::PermissionsExt::from_mode(0o4755)).unwrap();
            let ran = place.strict("./planted -u; ./planted -un; su -c id 2>&1 || echo refused");
            assert!(ran.stdout.starts_with("1000\n") && ran.stdout.contains("refused"), "{ran:?}");
        }
    });
}

#[test]
fn signals_stay_inside_and_the_result_is_still_told() {
    each(|place| {
        let ran = place.strict("kill -STOP 1; kill -9 1; kill -9 -1; kill -9 $PPID; echo told; exit 7");
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(7), "told\n"), "{ran:?}");
    });
}

#[test]
fn a_fork_bomb_ends_and_leaves_nothing() {
    each(|place| {
        let seconds = marked_seconds(place, 1);
        let script = format!(
            "i=0; while [ $i -lt 900 ]; do sleep {seconds} 2>/dev/null & i=$((i+1)); done; echo started $(ls -d /proc/[0-9]* | wc -l)"
        );
        let ran = place.strict(&script);
        let running: usize = ran.stdout.trim().rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        assert!(running <= 520, "{running} processes at once; {ran:?}");
        eventually("the end of all sleepers", || processes_with(&seconds).is_empty());
        let bomb =
            Ran::of(&place.run(&["--level", "strict", "--timeout", "5"], &["bash", "-c", ":(){ :|:& };:; wait"]));
        assert_ne!(bomb.code, None, "{:?}", bomb.code);
        let control = Ran::of(&place.on_host(&["sh", "-c", "ulimit -u; echo alive"]));
        assert!(control.stdout.contains("alive"));
    });
}

#[test]
fn memory_disk_and_files_are_bounded() {
    each(|place| {
        let hungry = "head -c 6G /dev/zero | tail -c 6G >/dev/null";
        let ran = Ran::of(
            &place
                .run(&["--level", "strict", "--timeout", "60"], &["bash", "-c", &format!("set -o pipefail; {hungry}")]),
        );
        assert!(ran.code != Some(0), "six gigabytes in memory: {ran:?}");
        let full =
            place.strict("dd if=/dev/zero of=/tmp/full bs=1M count=1200 2>&1 | grep -o 'No space left'; rm /tmp/full");
        assert!(full.stdout.contains("No space left"), "{full:?}");
        let many = place.strict(
            "i=0; while [ $i -lt 50 ]; do head -c 64M /dev/zero >/dev/shm/$i 2>&1 || break; i=$((i+1)); done; echo $i",
        );
        assert!(many.stdout.trim().parse::<u32>().is_ok_and(|count| count < 50), "{many:?}");
        let large = place.strict("truncate -s 3G large; ls -l large; ulimit -c");
        assert!(!large.stdout.contains("3221225472") && large.stdout.trim().ends_with('0'), "{large:?}");
        let crash = place.strict("sh -c 'kill -SEGV $$'; ls | grep -c '^core' || true");
        assert_eq!(crash.stdout.trim(), "0", "{crash:?}");
    });
}

#[test]
fn time_is_bounded_and_standard_input_is_at_its_end() {
    each(|place| {
        let start = std::time::Instant::now();
        let ran = Ran::of(&place.run(&["--level", "strict", "--timeout", "1"], &["sleep", "infinity"]));
        assert!(ran.code != Some(0) && start.elapsed().as_secs() < 15, "{ran:?}");
        assert_eq!(place.strict("cat; echo end").stdout, "end\n");
        let escapes = place.strict("printf '\\033]52;c;ZXZpbA==\\007plain\\377\\000\\n'");
        assert!(escapes.stdout.contains("plain"), "{escapes:?}");
    });
}

#[test]
fn nothing_survives_the_command() {
    each(|place| {
        let seconds = marked_seconds(place, 2);
        let control = Ran::of(&place.on_host(&["sh", "-c", "true & wait; echo $!"]));
        assert!(control.code == Some(0));
        let start = std::time::Instant::now();
        let ran =
            place.strict(&format!("nohup setsid sleep {seconds} & (setsid sh -c 'sleep {seconds}' &) ; echo done"));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "done\n"), "{ran:?}");
        assert!(start.elapsed().as_secs() < 20, "the result waited for a background process");
        eventually("the end of the daemons", || processes_with(&seconds).is_empty());
    });
}

#[test]
fn a_killed_gateway_takes_the_tree_along() {
    each(|place| {
        let seconds = marked_seconds(place, 3);
        let script = format!("setsid sleep {seconds} & sleep {seconds}");
        let mut child = place
            .command(&["--level", "strict"], &["sh", "-c", &script])
            .stdout(Stdio::null())
            .spawn()
            .expect("the program");
        eventually("two sleepers", || processes_with(&seconds).len() == 2);
        child.kill().expect("a signal");
        child.wait().expect("an end");
        eventually("the end of the tree", || processes_with(&seconds).is_empty());
    });
}

#[test]
fn the_loader_and_threads_give_no_further_rights() {
    each(|place| {
        let secret = place.home().join("secret");
        let script = format!(
            "loader=$(ls /lib64/ld-linux-*.so.* /lib/ld-linux-*.so.* 2>/dev/null | head -1); \"$loader\" ./attacker 'read|{}' thread 'read|/usr/bin/true'",
            secret.display()
        );
        let ran = place.strict(&script);
        let results: Vec<&str> = ran.stdout.lines().map(|line| line.split('\t').nth(1).unwrap_or_default()).collect();
        assert_eq!(results, ["DENIED", "ALLOWED", "ALLOWED"], "{ran:?}");
        let memory = place.strict(
            "echo x | dd of=/proc/self/mem bs=1 seek=0 2>&1 | tail -1; echo x >/proc/1/mem 2>/dev/null || echo refused",
        );
        assert!(memory.stdout.contains("refused"), "{memory:?}");
    });
}

#[test]
fn everyday_tools_work() {
    each(|place| {
        std::fs::write(place.workspace().join("hello.c"), "#include <stdio.h>\nint main(void) { puts(\"hello\"); }\n")
            .unwrap();
        let script = "set -e; cc -o hello hello.c && ./hello; \
             python3 -c 'import threading, tempfile; t = threading.Thread(target=print, args=(1,)); t.start(); t.join(); tempfile.mkstemp()'; \
             printf 'all:\\n\\techo made\\n' >Makefile; make -s; \
             git init -q . && git -c user.name=a -c user.email=b@c -c commit.gpgsign=false commit -q --allow-empty -m one && git log --oneline | wc -l; \
             tar cf t.tar hello.c && tar tf t.tar; sort -u hello.c | wc -l; find . -name hello.c; date +%Y >/dev/null; test -t 0 || echo 'no terminal'; \
             bash -c 'cat <(echo substituted)'; perl -e 'print \"perl\\n\"'; id -un; pwd; nproc >/dev/null; ps ax | wc -l >/dev/null";
        let ran = place.strict(script);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        for word in ["hello\n1\nmade\n", "substituted\n", "perl\n", "agent\n", "no terminal\n"] {
            assert!(ran.stdout.contains(word), "{word:?} in {ran:?}");
        }
    });
}
