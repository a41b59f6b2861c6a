//! The program; everything is in the library.

/// Meant for many small allocations on several threads, as each request makes them.
/// Its feature `no_thp` is chosen against huge pages: with them an idle gateway holds 40 MiB more, for nothing.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    passgate::cli::main()
}
