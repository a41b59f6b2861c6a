//! Each command over a store in memory, and the socket with its permissions.
