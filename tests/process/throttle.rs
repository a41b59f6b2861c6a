//! What the throttle has counted survives the program, killed or stopped, and operators see and lift it.

use passgate::sample::SampleForum;

use crate::site::{Gateway, PASSWORD, Site};

async fn status(gateway: &Gateway, password: &str) -> u16 {
    gateway.signed_in("alice", password).await.1.status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn thr_15_neither_a_kill_nor_a_restart_gives_anybody_another_try() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = Site::before(forum.address(), "");
    site.add_member("alice");
    site.add_member("bob");
    let gateway = site.serve();
    for expected in [422, 422, 422, 422, 422, 429] {
        assert_eq!(status(&gateway, "wrong").await, expected);
    }
    // Whatever waits to be written is, with this.
    site.run(&["user", "unlock", "bob"]).assert_code(0).assert_says("nothing was changed");
    drop(gateway);

    let mut gateway = site.serve();
    assert_eq!(status(&gateway, PASSWORD).await, 429, "killed");
    assert!(site.run(&["user", "show", "alice"]).out.contains("5 in a row; places that have to wait: 1"));
    site.run(&["user", "unlock", "ALICE"]).assert_code(0).assert_says("5 wrong passwords");
    assert_eq!(status(&gateway, PASSWORD).await, 200);
    for _ in 0..6 {
        status(&gateway, "wrong").await;
    }
    assert_eq!(gateway.stop(), Some(0));

    let alice = site.run(&["user", "show", "alice", "--json"]).assert_code(0).json();
    assert_eq!(alice["throttle"]["wrong_tries"], 5, "stopped");
    let gateway = site.serve();
    assert_eq!(status(&gateway, PASSWORD).await, 429);
    drop(gateway);
    site.run(&["user", "unlock", "alice"]).assert_code(0).assert_says("5 wrong passwords");
    assert_eq!(status(&site.serve(), PASSWORD).await, 200);
}
