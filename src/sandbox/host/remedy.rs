//! What people can do about guarantees that do not hold.

use crate::sandbox::{Guarantee, Guarantees, SandboxLevel};

/// One sentence per thing that would help.
pub(super) fn remedy(missing: Guarantees, level: SandboxLevel) -> String {
    let bounds = Guarantees::of(&[Guarantee::PidsLimit, Guarantee::MemLimit]);
    let mut hints = Vec::new();
    if !missing.and(bounds).is_empty() {
        let names: Vec<String> = missing.and(bounds).iter().map(|bound| format!("{:?}", bound.as_str())).collect();
        hints.push(format!(
            "run the gateway as an ordinary user, or as a systemd service with Delegate=yes, so that control groups bound its commands; or \
             set agents.defaults.sandbox.allowMissing to [{}]",
            names.join(", ")
        ));
    }
    if !missing.without(bounds).is_empty() {
        hints.push(
            "allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1, \
             kernel.apparmor_restrict_unprivileged_userns=0), or install bubblewrap 0.12 or later"
                .to_owned(),
        );
        if level == SandboxLevel::Strict {
            hints.push("or set agents.defaults.sandbox.level to relaxed, which promises less".to_owned());
        }
    }
    if hints.is_empty() {
        hints.push("openclaw sandbox probe shows what works here".to_owned());
    }
    hints.join("; ")
}
