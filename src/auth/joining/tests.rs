use super::*;
use crate::auth::passwords::{HashingCost, PasswordPolicy, Passwords};
use crate::auth::sessions::Sessions;
use crate::domain::{Lifetimes, ManualClock};
use crate::store::MemoryStore;

const DAY: Duration = Duration::from_secs(86_400);
const PASSWORD: &str = "a password of my own";

struct House {
    invitations: Invitations,
    accounts: Accounts,
    clock: Arc<ManualClock>,
    store: Arc<dyn Store>,
    approval: Approval,
}

impl House {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_795_327_200_000)));
        let (ticking, store): (Arc<dyn Clock>, Arc<dyn Store>) =
            (Arc::clone(&clock) as _, Arc::new(MemoryStore::new()));
        let cost = HashingCost { memory_kib: 8, iterations: 1, parallelism: 1 };
        let lifetimes = Lifetimes { idle: DAY, absolute: DAY, remember: DAY, shared: DAY };
        let sessions = Sessions::open(Arc::clone(&store), Arc::clone(&ticking), lifetimes).unwrap();
        let accounts = Accounts::new(
            Arc::clone(&store),
            Arc::new(sessions),
            Arc::new(Passwords::new(cost, 1)),
            Arc::clone(&ticking),
            PasswordPolicy { min_chars: 15, with_second_factor: 8 },
        );
        let approval = Approval::NotNeeded;
        Self { invitations: Invitations::new(Arc::clone(&store), ticking), accounts, clock, store, approval }
    }

    async fn invite(&self, times: u32) -> InvitationToken {
        let groups = vec![Group::parse("Readers").unwrap()];
        self.invitations.make(groups, None, times, DAY).await.unwrap().unwrap().0
    }

    async fn join(&self, token: &InvitationToken, name: &str) -> Joined {
        self.join_with(token, name, PASSWORD).await
    }

    async fn join_with(&self, token: &InvitationToken, name: &str, password: &str) -> Joined {
        let password = Some(Secret::new(password.to_owned()));
        let site = JoiningSite {
            name: "The Teapot Forum",
            reserved_names: &["admin".to_owned()],
            approval: self.approval,
        };
        self.invitations.join(&self.accounts, token, name, password, site).await.unwrap()
    }
}

#[tokio::test]
async fn auth_09_an_invitation_makes_as_many_accounts_as_it_says() {
    let house = House::new();
    let token = house.invite(2).await;
    for name in ["ann", "bob"] {
        let Joined::Done(user) = house.join(&token, name).await else { panic!("{name}") };
        assert_eq!(house.accounts.find(&user.profile.name).unwrap().as_ref(), Some(&*user));
        assert_eq!((user.profile.groups[0].as_str(), user.profile.email), ("Readers", None));
    }
    assert_eq!(house.join(&token, "carol").await, Joined::Expired);
    assert_eq!(house.invitations.all().unwrap(), []);
}

#[tokio::test]
async fn auth_09_of_two_who_take_the_last_one_at_once_one_is_refused() {
    let house = House::new();
    let token = house.invite(1).await;
    let both = tokio::join!(house.join(&token, "ann"), house.join(&token, "bob"));
    let done = |joined: &Joined| matches!(joined, Joined::Done(_));
    assert!(done(&both.0) != done(&both.1), "{both:?}");
    assert_eq!(house.accounts.all().unwrap().len(), 1);
}

#[tokio::test]
async fn auth_09_an_invitation_ends_when_it_says_or_is_withdrawn() {
    let house = House::new();
    let (late, withdrawn) = (house.invite(1).await, house.invite(1).await);
    house.invitations.withdraw(withdrawn.hash()).await.unwrap();
    assert_eq!(house.join(&withdrawn, "ann").await, Joined::Expired);
    house.clock.advance(DAY);
    assert_eq!(house.join(&late, "ann").await, Joined::Expired);
    assert_eq!(house.join(&InvitationToken::generate(), "ann").await, Joined::Expired);
    assert_eq!(house.invitations.all().unwrap().len(), 1);
    house.invite(1).await;
    assert_eq!(house.invitations.all().unwrap().len(), 1, "what is over is forgotten");
}

#[tokio::test]
async fn auth_09_the_store_holds_no_invitation_that_could_be_used() {
    let house = House::new();
    let token = house.invite(1).await;
    let text = token.to_text().to_string();
    let keep = &mut |_, key: Vec<u8>, bytes: Vec<u8>| {
        assert!(!String::from_utf8_lossy(&bytes).contains(&text));
        assert_eq!(key, token.hash().0);
        ControlFlow::Continue(())
    };
    house.store.each_record(Drawer::Invitation, keep).unwrap();
    assert!(!Drawer::Invitation.is_in_backups(), "S1: a restored one would be good again");
}

#[tokio::test]
async fn auth_15_no_name_is_given_out_that_is_or_was_somebodys() {
    let house = House::new();
    let token = house.invite(9).await;
    let Joined::Done(gone) = house.join(&token, "Zoë").await else { panic!() };
    assert_eq!(house.join(&token, "ＺＯË").await, Joined::NameTaken);
    house.accounts.delete(gone.profile.id).await.unwrap();
    for name in ["zoë", "ADMIN", "Ａdmin", "ann@forum.example"] {
        assert_eq!(house.join(&token, name).await, Joined::NameTaken, "{name}");
    }
    assert_eq!(house.join(&token, " ").await, Joined::InvalidName(InvalidName::Empty));
    assert!(matches!(house.join(&token, "administrator").await, Joined::Done(_)), "it was not reserved");
}

#[tokio::test]
async fn auth_01_a_weak_password_leaves_the_invitation_as_it_was() {
    let house = House::new();
    let token = house.invite(1).await;
    assert!(matches!(house.join_with(&token, "ann", "short").await, Joined::Weak(_)));
    assert!(matches!(house.join_with(&token, "ann", "teapot forum ann").await, Joined::Weak(_)));
    let site = JoiningSite { name: "", reserved_names: &[], approval: Approval::NotNeeded };
    let before = house.invitations.open(&token).unwrap().unwrap();
    assert_eq!(before.left, 1);
    let without = house.invitations.join(&house.accounts, &token, "ann", None, site).await.unwrap();
    assert!(matches!(without, Joined::Done(user) if user.password.is_none()));
}
