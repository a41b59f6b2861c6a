use super::*;
use crate::domain::Timestamp;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn of(events: &Events, what: What) -> usize {
    events.0.iter().filter(|event| event.what == what).count()
}

#[test]
fn sib_10_a_kind_of_event_pushes_out_its_own_kind_alone() {
    let mut events = Events::default();
    events.add(Happened::new(What::PasswordSet, at(1)));
    events.add(Happened::new(What::PasskeyAdded, at(2)));
    for n in 0..1_000 {
        events.add(Happened::new(What::SignedInByPassword, at(10 + n)));
    }
    assert_eq!(events.0.len(), MOST);
    assert_eq!((of(&events, What::PasswordSet), of(&events, What::PasskeyAdded)), (1, 1));
    assert_eq!(events.0.last().unwrap().at, at(1_009), "the latest stay");
    for n in 0..1_000 {
        events.add(Happened::new(What::PasskeyRenamed, at(2_000 + n)));
    }
    assert_eq!((of(&events, What::PasswordSet), of(&events, What::PasskeyAdded)), (1, 1));
    assert_eq!(of(&events, What::SignedInByPassword), MOST / 2 - 1, "and no kind takes all the room");
}

#[test]
fn sib_10_wrong_passwords_of_a_day_are_one_event_with_their_number() {
    let mut events = Events::default();
    for n in 0..500 {
        events.add(Happened::new(What::WrongPassword, at(n * 60)));
        events.add(Happened::new(What::SignedInByPassword, at(n * 60 + 1)));
    }
    let wrong: Vec<_> = events.0.iter().filter(|event| event.what == What::WrongPassword).collect();
    assert_eq!(wrong.len(), 1);
    assert_eq!((wrong[0].times, wrong[0].at), (500, at(499 * 60)));
    events.add(Happened::new(What::WrongPassword, at(499 * 60 + 86_400)));
    assert_eq!(of(&events, What::WrongPassword), 2);
}

#[test]
fn sib_21_an_event_is_forgotten_after_a_year() {
    let mut events = Events::default();
    events.add(Happened::new(What::PasswordSet, at(0)));
    events.add(Happened::new(What::SignedInByPassword, at(364 * 86_400)));
    assert_eq!(events.0.len(), 2);
    events.add(Happened::new(What::SignedInByPassword, at(365 * 86_400)));
    assert_eq!(of(&events, What::PasswordSet), 0);
}

#[test]
fn sto_10_an_event_of_this_version_is_written_as_ever() {
    let seen = Seen { user_agent: "Firefox/140.0 (X11; Linux)", from: Some([192, 0, 2, 7].into()) };
    let event = Happened::new(What::PasskeyAdded, at(2)).seen(seen).about("Zoë's «phone»");
    let json = concat!(
        r#"{"at":2000,"what":"passkey-added","about":"Zoë's «phone»","#,
        r#""browser":"Firefox on Linux","network":"192.0.2.0/24"}"#
    );
    assert_eq!(serde_json::to_string(&event).unwrap(), json);
    assert_eq!(serde_json::from_str::<Happened>(json).unwrap(), event);
    assert!(serde_json::from_str::<Happened>(&json.replace("about", "pinned")).is_err());
}
