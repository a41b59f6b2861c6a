//! Floor 5: the process. Sockets, draining, the admin listener, the control socket, the log. What a request means is none
//! of its business.

mod admin;
mod admission;
pub mod audit_log;
mod backups;
pub mod control;
mod hardening;
mod json_lines;
mod listen;
mod log_writer;
pub mod manager;
pub mod options;
mod process;
mod proxy_protocol;
mod seldom;
mod telemetry;
mod tls;
mod watch;

pub use admin::{Admin, serve_admin};
pub use admission::{Admission, Admitted, Place};
pub use backups::{BackupFile, Backups, NoBackup};
pub use hardening::{Successor, harden, is_root, raise_descriptors};
pub use listen::{BindError, Door, Entrance, Stopping, accept, bind};
pub use process::{StopSignals, private_folder, runtime};
pub use telemetry::{LogError, LogGuard, start_log};
pub use tls::acme::{Acme, Look, Standing};
pub use tls::{Renewal, Tls, TlsError};
pub use watch::Watched;
