//! What members are told of that an operator did to their account.

use std::ops::ControlFlow;

use super::*;
use crate::store::Drawer;

/// The mails that wait, as they lie in the store.
fn mails(control: &Control) -> String {
    let mut all = String::new();
    let mut visit = |_, _, bytes: Vec<u8>| {
        all.push_str(&String::from_utf8_lossy(&bytes));
        ControlFlow::Continue(())
    };
    control.store.each_record(Drawer::Mail, &mut visit).unwrap();
    all
}

#[tokio::test]
async fn sib_08_a_member_is_told_when_an_operator_removes_their_passkey() {
    let control = control();
    control.mail.accept();
    added(&control, NewAccount { email: Some("alice@forum.example".into()), ..new("alice") }).await;
    with_passkey(&control, "alice", "phone", Backup::Done).await;
    assert!(!mails(&control).contains("passkey-removed"));
    let passkey = passkeys(&control, None).await.remove(0).id;
    let wrong = Command::PasskeyRemove { name: named("alice"), passkey: named("0123456789abcdef") };
    assert!(matches!(control.execute(wrong).await, Reply::Failed(_)));
    assert!(!mails(&control).contains("passkey-removed"), "nothing was done");
    let remove = Command::PasskeyRemove { name: named("alice"), passkey };
    assert!(matches!(control.execute(remove).await, Reply::Done(_)));
    assert!(mails(&control).contains("passkey-removed"), "{}", mails(&control));
    let user = control.named("alice").unwrap().profile.id;
    let events = control.accounts.events(user).unwrap();
    assert_eq!(events[0].about.as_deref(), Some("phone of alice"), "and their account page says so");
}
