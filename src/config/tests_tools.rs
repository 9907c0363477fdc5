use super::tests::{config, warnings};
use super::*;
use crate::core::FilesystemMode;

const MIB: u64 = 1024 * 1024;

#[test]
fn an_empty_file_gives_the_defaults() {
    let agent = config("{}").load().expect("loads").view.default_agent().clone();
    assert_eq!((agent.tools, agent.sandbox), (ToolSettings::default(), SandboxSettings::default()));
    assert_eq!(agent.filesystem_mode, FilesystemMode::VfsScratch);
}

#[test]
fn an_agent_overrides_the_global_tools_and_restrictions_unite() {
    let loaded = config(
        "{tools: {profile: 'coding', allow: ['read'], deny: ['write'], alsoAllow: ['a'], ask: ['edit'],
                 exec: {security: 'full', ask: 'off', timeoutSec: 7, safeBins: ['wc'], pathPrepend: ['~/bin'], strictInlineEval: false,
                        backgroundMs: 5, cleanupMs: 6, passEnv: ['CARGO_HOME'], approvalTimeoutSeconds: 8, grantExpiryDays: 9, applyPatch: {enabled: false}},
                 vfs: {maxMb: 1, maxFiles: 2, maxFileMb: 3, historyMb: 0}},
          agents: {list: [
            {id: 'plain'},
            {id: 'own', tools: {profile: 'minimal', allow: ['*'], deny: ['exec', 'write'], ask: ['exec'], alsoAllow: [],
                                exec: {security: 'deny', timeoutSeconds: 11, applyPatch: {enabled: true}}, vfs: {maxFiles: 5}}}]}}",
    )
    .load()
    .expect("loads");
    assert_eq!(warnings(&loaded), Vec::<String>::new());
    let plain = &loaded.view.agents[0];
    assert_eq!((&plain.tools_allow[..], &plain.tools_deny[..]), (&["read".to_owned()][..], &["write".to_owned()][..]));
    assert_eq!((plain.tools.profile.as_str(), &plain.tools.also_allow[..]), ("coding", &["a".to_owned()][..]));
    assert_eq!(
        plain.tools.exec,
        ExecSettings {
            security: Some("full".into()),
            ask: Some("off".into()),
            safe_bins: vec!["wc".into()],
            strict_inline_eval: false,
            timeout_seconds: 7,
            background_ms: Some(5),
            cleanup_ms: 6,
            path_prepend: vec!["/home/alice/bin".into()],
            pass_env: vec!["CARGO_HOME".into()],
            approval_timeout_seconds: 8,
            grant_expiry_days: 9,
        }
    );
    assert_eq!(
        plain.tools.vfs,
        VfsSettings { max_bytes: MIB, max_files: 2, max_file_bytes: 3 * MIB, history_bytes: 0 }
    );
    assert!(!plain.tools.apply_patch);
    let own = &loaded.view.agents[1];
    assert_eq!(own.tools_allow, ["*"]);
    assert_eq!(
        (&own.tools_deny[..], &own.tools.ask[..]),
        (&["write".into(), "exec".into()][..], &["edit".into(), "exec".into()][..])
    );
    assert_eq!((own.tools.profile.as_str(), own.tools.also_allow.len()), ("minimal", 0));
    assert_eq!((own.tools.exec.security.as_deref(), own.tools.exec.ask.as_deref()), (Some("deny"), Some("off")));
    assert_eq!((own.tools.exec.timeout_seconds, own.tools.exec.cleanup_ms, own.tools.vfs.max_files), (11, 6, 5));
    assert!(own.tools.apply_patch);
}

#[test]
fn newer_modes_of_commands_are_security_and_approvals() {
    for (mode, security, ask) in [
        ("deny", "deny", "off"),
        ("allowlist", "allowlist", "off"),
        ("ask", "allowlist", "on-miss"),
        ("auto", "allowlist", "on-miss"),
        ("full", "full", "off"),
    ] {
        let text = format!("{{tools: {{exec: {{mode: '{mode}', security: 'deny', ask: 'always'}}}}}}");
        let exec = config(&text).load().expect("loads").view.default_agent().tools.exec.clone();
        assert_eq!((exec.security.as_deref(), exec.ask.as_deref()), (Some(security), Some(ask)), "{mode}");
    }
    // The agent's own word wins over the global mode, in either spelling.
    let text = "{tools: {exec: {mode: 'full'}}, agents: {entries: {a: {tools: {exec: {security: 'deny'}}}, b: {tools: {exec: {mode: 'ask'}}}}}}";
    let loaded = config(text).load().expect("loads");
    let security = |index: usize| loaded.view.agents[index].tools.exec.security.clone();
    assert_eq!((security(0).as_deref(), security(1).as_deref()), (Some("deny"), Some("allowlist")));
}

#[test]
fn an_agent_overrides_the_default_sandbox() {
    let loaded = config(
        "{agents: {defaults: {filesystemMode: 'disk', sandbox: {level: 'strict', network: false, workspaceAccess: 'ro', protect: ['Makefile'],
                    mounts: [{path: '~/data'}, {path: '/opt/sdk', access: 'rw'}], allowMissing: ['pids_limit'],
                    limits: {memoryMb: 64, processes: 9, fileMb: 1, openFiles: 32, cpuSeconds: 5, tmpMb: 2}}},
                   list: [{id: 'a'}, {id: 'b', filesystemMode: 'vfs-only',
                           sandbox: {level: 'relaxed', backend: 'landlock', network: true, workspaceAccess: 'none', protect: ['ci'], mounts: [], allowMissing: [], limits: {memoryMb: 65}}}]}}",
    )
    .load()
    .expect("loads");
    assert_eq!(warnings(&loaded), Vec::<String>::new());
    let (first, second) = (&loaded.view.agents[0], &loaded.view.agents[1]);
    assert_eq!((first.filesystem_mode, second.filesystem_mode), (FilesystemMode::Disk, FilesystemMode::VfsOnly));
    assert_eq!(
        first.sandbox,
        SandboxSettings {
            level: Some("strict".into()),
            backend: None,
            network: Some(false),
            workspace_access: WorkspaceAccess::ReadOnly,
            mounts: vec![("/home/alice/data".into(), false), ("/opt/sdk".into(), true)],
            protect: vec!["Makefile".into()],
            allow_missing: vec!["pids_limit".into()],
            limits: LimitSettings {
                memory_bytes: Some(64 * MIB),
                processes: Some(9),
                file_bytes: Some(MIB),
                open_files: Some(32),
                cpu_seconds: Some(5),
                tmp_bytes: Some(2 * MIB),
            },
        }
    );
    let own = &second.sandbox;
    assert_eq!(
        (own.level.as_deref(), own.backend.as_deref(), own.network),
        (Some("relaxed"), Some("landlock"), Some(true))
    );
    assert_eq!((own.workspace_access, own.mounts.len(), own.allow_missing.len()), (WorkspaceAccess::Nothing, 0, 0));
    assert_eq!(own.protect, ["Makefile", "ci"]);
    assert_eq!((own.limits.memory_bytes, own.limits.processes), (Some(65 * MIB), Some(9)));
}

#[test]
fn values_the_table_cannot_judge() {
    let error = |text: &str| {
        let error = config(text).error();
        error.lines().take(2).collect::<Vec<_>>().join(" | ")
    };
    let mounts = |list: &str| error(&format!("{{agents: {{defaults: {{sandbox: {{mounts: {list}}}}}}}}}"));
    insta::assert_snapshot!(
        [
            mounts("[{path: 'data'}]"),
            mounts("[{path: '/a'}, {path: '/b/../a'}]"),
            mounts("[{path: '~/a'}, {path: '/home/alice/a/', access: 'rw'}]"),
            mounts("[{path: '/'}]"),
            mounts("[{access: 'ro'}]"),
            mounts("['/a']"),
            mounts("[{path: '/a', access: 'all'}]"),
            mounts("{}"),
            error("{agents: {list: [{id: 'a', sandbox: {protect: ['../x']}}]}}"),
            error("{agents: {entries: {a: {sandbox: {allowMissing: ['luck']}}}}}"),
            error("{agents: {entries: {a: {sandbox: {level: 'off'}}}}}"),
            error("{agents: {defaults: {filesystemMode: 'vfs'}}}"),
            error("{tools: {exec: {pathPrepend: ['bin']}}}"),
            error("{agents: {list: [{id: 'a', tools: {exec: {passEnv: ['A=B']}}}]}}"),
            error("{tools: {exec: {security: 'allow'}}}"),
            error("{tools: {exec: {timeoutSeconds: 0}}}"),
        ]
        .join("\n"),
        @r#"
        ~/openclaw.json:1:41 has a value that cannot be used (at `agents.defaults.sandbox.mounts[0].path`) | data is no absolute path
        ~/openclaw.json:1:55 has a value that cannot be used (at `agents.defaults.sandbox.mounts[1].path`) | /b/../a is no absolute path
        ~/openclaw.json:1:56 has a value that cannot be used (at `agents.defaults.sandbox.mounts[1].path`) | /home/alice/a/ is mounted twice
        ~/openclaw.json:1:41 has a value that cannot be used (at `agents.defaults.sandbox.mounts[0].path`) | the whole file system cannot be mounted
        ~/openclaw.json:1:41 has a value that cannot be used (at `agents.defaults.sandbox.mounts[0]`) | a mount needs a `path`
        ~/openclaw.json:1:41 has a value that cannot be used (at `agents.defaults.sandbox.mounts[0]`) | expected an object, found a string (and 1 more)
        ~/openclaw.json:1:62 has a value that cannot be used (at `agents.defaults.sandbox.mounts[0].access`) | expected one of ro, rw, found "all"
        ~/openclaw.json:1:40 has a value that cannot be used (at `agents.defaults.sandbox.mounts`) | expected a list, found an object
        ~/openclaw.json:1:48 has a value that cannot be used (at `agents.list[0].sandbox.protect[0]`) | "../x" is no path below the workspace
        ~/openclaw.json:1:50 has a value that cannot be used (at `agents.entries.a.sandbox.allowMissing[0]`) | there is no guarantee "luck"
        ~/openclaw.json:1:42 has a value that cannot be used (at `agents.entries.a.sandbox.level`) | expected one of none, relaxed, strict, found "off"
        ~/openclaw.json:1:38 has a value that cannot be used (at `agents.defaults.filesystemMode`) | expected one of disk, vfs-scratch, vfs-only, found "vfs"
        ~/openclaw.json:1:31 has a value that cannot be used (at `tools.exec.pathPrepend[0]`) | bin is no absolute path
        ~/openclaw.json:1:53 has a value that cannot be used (at `agents.list[0].tools.exec.passEnv[0]`) | "A=B" is no name of an environment variable
        ~/openclaw.json:1:27 has a value that cannot be used (at `tools.exec.security`) | expected one of deny, allowlist, full, found "allow"
        ~/openclaw.json:1:33 has a value that cannot be used (at `tools.exec.timeoutSeconds`) | expected a whole number, at least 1, found the number 0
        "#
    );
}

#[test]
fn a_slip_in_an_agents_command_policy_is_told() {
    let loaded = config("{agents: {list: [{id: 'a', tools: {exec: {secuirty: 'deny'}}}]}}").load().expect("loads");
    assert_eq!(loaded.warnings[0].suggestion.as_deref(), Some("agents.list[0].tools.exec.security"));
}

#[test]
fn keys_of_openclaw_that_mean_nothing_here_are_told() {
    let loaded = config(
        "{tools: {exec: {host: 'node'}}, agents: {defaults: {sandbox: {mode: 'off', scope: 'session', browser: {enabled: false}}},
          list: [{id: 'a', sandbox: {mode: 'all', backend: 'docker', docker: {image: 'x'}, ssh: {}, browser: {enabled: true}, workspaceRoot: '/w'}}]}}",
    )
    .load()
    .expect("loads");
    insta::assert_snapshot!(warnings(&loaded).join("\n"), @r#"
    tools.exec.host: commands run on this machine only: `node` has no effect
    agents.defaults.sandbox.mode: `off` does not switch the sandbox off here: commands are confined as `agents.defaults.sandbox.level` says (`none` is the one that confines nothing)
    agents.list[0].sandbox.mode: has no effect here: the commands of every session are confined as `agents.list[0].sandbox.level` says
    agents.list[0].sandbox.backend: is no backend here and has no effect; the best that works is chosen, or one of namespaces, bubblewrap, landlock, seatbelt, jobobject, plain
    agents.list[0].sandbox.docker: is OpenClaw's and has no effect here; what counts is `mounts`, `network` and `limits` beside it
    agents.list[0].sandbox.browser: is OpenClaw's and has no effect here; what counts is nothing: there is no browser in the sandbox
    agents.list[0].sandbox.workspaceRoot: is OpenClaw's and has no effect here; what counts is `workspace` of the agent and `workspaceAccess` beside it
    "#);
    // The sandbox stays as it is without these keys.
    assert_eq!(loaded.view.agents[0].sandbox, SandboxSettings::default());
    assert_eq!((loaded.warnings[0].line, loaded.warnings[0].column), (Some(1), Some(23)));
}

#[test]
fn mounts_are_a_list_in_schema_and_hints() {
    let schema = schema();
    let sandbox = &schema["properties"]["agents"]["properties"]["list"]["items"]["properties"]["sandbox"]["properties"];
    assert_eq!(sandbox["mounts"]["type"], "array");
    assert_eq!(sandbox["mounts"]["items"]["properties"]["access"]["enum"], serde_json::json!(["ro", "rw"]));
    assert!(ui_hints()["agents.list[].sandbox.mounts[].path"]["help"].is_string());
}
