//! The table of checks.

mod clock;
mod config;
mod database;
mod gateway;
mod legacy;
mod logs;
mod providers;
mod sandbox;
mod state_dir;
mod workspace;

use super::Check;

/// Every check, in the order in which they run.
pub(super) const ALL: &[Check] = &[
    Check { id: state_dir::DIRECTORY, run: state_dir::directory },
    Check { id: state_dir::TOKEN, run: state_dir::token },
    Check { id: config::VALID, run: config::valid },
    Check { id: config::WARNINGS, run: config::warnings },
    Check { id: config::MODE, run: config::mode },
    Check { id: database::KIND, run: database::kind },
    Check { id: database::OPENS, run: database::opens },
    Check { id: database::SOUND, run: database::sound },
    Check { id: database::SPACE, run: database::space },
    Check { id: gateway::PORT, run: gateway::port },
    Check { id: providers::KEYS, run: providers::keys },
    Check { id: workspace::WRITABLE, run: workspace::writable },
    Check { id: sandbox::AVAILABLE, run: sandbox::available },
    Check { id: sandbox::SETTINGS, run: sandbox::settings },
    Check { id: sandbox::BACKENDS, run: sandbox::backends },
    Check { id: logs::SIZE, run: logs::size },
    Check { id: clock::SANE, run: clock::sane },
    Check { id: legacy::PRESENT, run: legacy::present },
];
