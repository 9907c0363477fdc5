//! Capabilities: all are dropped, in all five sets, and read back.

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
    configure_capability_in_ambient_set, remove_capability_from_bounding_set, set_capabilities,
};

use super::setup::{At, StageFailure};

const STAGE: &str = "capabilities";

/// Each capability the kernel knows, one bit each.
fn known() -> impl Iterator<Item = CapabilitySet> {
    (0..64)
        .map(|number| CapabilitySet::from_bits_retain(1 << number))
        .take_while(|one| capability_is_in_bounding_set(*one).is_ok())
}

/// Empties the bounding set as far as the kernel allows: without `CAP_SETPCAP` it refuses, and then nothing is held that could be bounded.
fn drop_bounding() -> Result<(), StageFailure> {
    for one in known() {
        if capability_is_in_bounding_set(one).at(STAGE)? {
            match remove_capability_from_bounding_set(one) {
                Ok(()) => {}
                Err(rustix::io::Errno::PERM) => return Ok(()),
                Err(error) => return Err(StageFailure::new(STAGE, error)),
            }
        }
    }
    Ok(())
}

/// Keeps `CAP_SYS_ADMIN` of the new user namespace over the start of the supervisor, which mounts `/proc` with it, and nothing else.
pub fn keep_for_supervisor() -> Result<(), StageFailure> {
    let admin = CapabilitySet::SYS_ADMIN;
    let held = capabilities(None).at(STAGE)?;
    // In this order: what is not in the bounding set cannot become inheritable, and emptying that set takes a right that goes last.
    set_capabilities(None, CapabilitySets { inheritable: admin, ..held }).at(STAGE)?;
    configure_capability_in_ambient_set(admin, true).at(STAGE)?;
    drop_bounding()?;
    set_capabilities(None, CapabilitySets { effective: admin, permitted: admin, inheritable: admin }).at(STAGE)
}

/// Gives up everything, for good.
pub fn drop_all() -> Result<(), StageFailure> {
    clear_ambient_capability_set().at(STAGE)?;
    drop_bounding()?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none }).at(STAGE)?;
    let left = capabilities(None).at(STAGE)?;
    if left.effective.is_empty() && left.permitted.is_empty() && left.inheritable.is_empty() {
        Ok(())
    } else {
        Err(StageFailure::new(STAGE, format!("{left:?} are still held")))
    }
}
