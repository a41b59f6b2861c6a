use super::*;
use crate::domain::ManualClock;

const FULL: usize = 100 * 1024;

struct Bench {
    clock: Arc<ManualClock>,
    kept: KeptForms,
}

impl Bench {
    fn new(folder: Option<PathBuf>) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
        Self { kept: KeptForms::new(Arc::clone(&clock) as _, folder), clock }
    }

    async fn keep(&self, owner: Owner, target: &str, body: Vec<u8>) -> Result<(), NotKept> {
        let room = self.kept.room(FULL, FULL).ok_or(NotKept::Full)?;
        let headers =
            KeptHeaders { content_type: HeaderValue::from_static("text/plain"), origin: None, referer: None };
        let target = ReturnTo::exactly(target, "/.passgate").unwrap();
        self.kept.keep(owner, target, headers, body.into(), room).await
    }

    fn targets(&self, owner: Owner) -> Vec<String> {
        self.kept.of(owner).iter().map(|(form, _)| form.target().to_string()).collect()
    }
}

fn owner(member: u16) -> Owner {
    let [high, low] = member.to_be_bytes();
    let mut id = [0; 16];
    (id[0], id[1]) = (high, low);
    let mut browser = [0; 32];
    (browser[0], browser[1]) = (high, low);
    Owner { member: UserId(id), browser: TokenHash(browser) }
}

#[tokio::test]
async fn r3_a_member_has_three_kept_forms_and_what_was_sent_goes_before_the_oldest() {
    let bench = Bench::new(None);
    let alice = owner(1);
    for target in ["/a", "/b", "/c"] {
        bench.keep(alice, target, vec![1]).await.unwrap();
    }
    let second = bench.kept.of(alice)[1].0.id();
    let (mark, target) = bench.kept.release(alice, &second).unwrap();
    assert!(matches!(bench.kept.take(alice, &mark, target.as_str()), Taken::Form(_)));
    bench.keep(alice, "/d", vec![1]).await.unwrap();
    assert_eq!(bench.targets(alice), ["/a", "/c", "/d"]);
    let elsewhere = Owner { browser: TokenHash([9; 32]), ..alice };
    bench.keep(elsewhere, "/e", vec![1]).await.unwrap();
    assert_eq!(
        (bench.targets(alice), bench.targets(elsewhere)),
        (vec!["/c".into(), "/d".into()], vec!["/e".into()])
    );
}

#[tokio::test]
async fn r3_all_forms_together_have_a_bound_in_bytes_and_in_number() {
    let bench = Bench::new(None);
    let reserved: Vec<_> = (0..KeptForms::FULL_SIZED).map(|_| bench.kept.room(FULL, FULL).unwrap()).collect();
    assert!(bench.kept.room(1, FULL).is_none(), "what is being read counts");
    drop(reserved);
    for member in 0..u16::try_from(KeptForms::FULL_SIZED).unwrap() {
        bench.keep(owner(member), "/", vec![1; FULL]).await.unwrap();
    }
    assert!(matches!(bench.keep(owner(99), "/", vec![1]).await, Err(NotKept::Full)));
    bench.clock.advance(KeptForms::LIFETIME);
    for member in 0..u16::try_from(KeptForms::MOST).unwrap() {
        bench.keep(owner(member), "/", vec![1; 10]).await.unwrap();
    }
    assert_eq!(bench.kept.used(), KeptForms::MOST * 10, "room that is not needed is given back");
    assert!(matches!(bench.keep(owner(9_999), "/", vec![1]).await, Err(NotKept::Full)));
    assert_eq!(bench.kept.used(), KeptForms::MOST * 10);
    assert_eq!(bench.targets(owner(0)), ["/"], "nobody's is pushed out by another member's");
}

#[tokio::test]
async fn r3_large_forms_lie_on_the_disk_without_a_name_and_are_freed_with_their_hour() {
    use std::os::unix::fs::PermissionsExt;
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("kept");
    let bench = Bench::new(Some(folder.clone()));
    let alice = owner(1);
    let body: Vec<u8> = (0..FULL).map(|at| u8::try_from(at % 253).unwrap()).collect();
    bench.keep(alice, "/small", vec![7; 10]).await.unwrap();
    assert!(!folder.exists(), "small ones stay in memory");
    bench.keep(alice, "/large", body.clone()).await.unwrap();
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "its content has no name");
    let open = || {
        let links = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let targets = links.filter_map(|link| std::fs::read_link(link.path()).ok());
        targets.filter(|target| target.starts_with(&folder)).count()
    };
    assert_eq!(open(), 1);
    let large = Arc::clone(&bench.kept.of(alice)[1].0);
    assert_eq!(bench.kept.body(&large).await.unwrap(), body);
    assert_eq!(bench.kept.body(&large).await.unwrap(), body, "and once more");
    drop(large);
    bench.clock.advance(KeptForms::LIFETIME);
    bench.kept.sweep();
    assert_eq!((open(), bench.kept.used()), (0, 0));
}

#[tokio::test]
async fn r3_a_disk_that_takes_nothing_is_told_and_takes_no_room() {
    let data = tempfile::tempdir().unwrap();
    let blocked = data.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    let bench = Bench::new(Some(blocked.join("kept")));
    assert!(matches!(bench.keep(owner(1), "/", vec![1; FULL]).await, Err(NotKept::Disk(_))));
    assert_eq!(bench.kept.used(), 0);
}

#[tokio::test]
async fn r3_a_later_click_takes_the_place_of_an_earlier_one() {
    let bench = Bench::new(None);
    let alice = owner(1);
    bench.keep(alice, "/a", vec![1]).await.unwrap();
    let id = bench.kept.of(alice)[0].0.id();
    let (first, _) = bench.kept.release(alice, &id).unwrap();
    let (second, _) = bench.kept.release(alice, &id).unwrap();
    assert!(matches!(bench.kept.take(alice, &first, "/a"), Taken::Elsewhere));
    assert!(matches!(bench.kept.take(owner(2), &second, "/a"), Taken::Elsewhere));
    let Taken::Form(form) = bench.kept.take(alice, &second, "/a") else { panic!("it is there") };
    assert!(matches!(bench.kept.take(alice, &second, "/a"), Taken::Gone));
    assert!(bench.kept.release(alice, &id).is_none(), "it was sent");
    bench.kept.put_back(&form, Progress::Unanswered);
    assert_eq!(bench.kept.of(alice)[0].1, Progress::Unanswered);
    assert!(bench.kept.release(alice, &id).is_some());
}
